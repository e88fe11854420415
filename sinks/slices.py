"""Kafka records of one partition that came together, as columns: what is asked of each is asked of all at once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, repeat
from operator import attrgetter
from typing import Any, Final

from sinks.rows import Record


@dataclass(frozen=True, slots=True)
class Slice:
    """Records of one partition. `appended_at`: the broker's append times in ms. `headers`: those of each, or none."""

    epoch: int
    topic: str
    partition: int
    offsets: Sequence[int]
    appended_at: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Sequence[tuple[str, bytes | None]]]

    @classmethod
    def of(cls, epoch: int, topic: str, partition: int, records: Sequence[Any]) -> "Slice":
        """What these records say, which have what aiokafka's have: offset, timestamp, key, value, headers."""
        offsets, stamps, keys, values, headers = ([*map(said, records)] for said in _SAID)
        return cls(epoch, topic, partition, offsets, [at or 0 for at in stamps], keys, values, headers)

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def is_plain(self) -> bool:
        """Whether each has a key and a value, and none a header."""
        return all(self.keys) and all(self.values) and not any(self.headers)

    @property
    def size(self) -> int:
        """The bytes of all keys and values."""
        return sum(map(len, filter(None, self.keys))) + sum(map(len, filter(None, self.values)))

    def only(self, wanted: Iterable[bool]) -> "Slice":
        """Those of them that are wanted."""
        which = [*wanted]
        if all(which):
            return self
        columns: Any = (self.offsets, self.appended_at, self.keys, self.values, self.headers)
        return Slice(self.epoch, self.topic, self.partition, *([*compress(column, which)] for column in columns))

    def parts(self) -> Iterator[tuple[Any, ...]]:
        """What `Record` is made of, of each."""
        here = (repeat(said, len(self)) for said in (self.epoch, self.topic, self.partition))
        return zip(*here, self.offsets, self.appended_at, self.keys, self.values, self.headers, strict=True)

    def records(self) -> Iterator[Record]:
        """Each of them as a record."""
        return map(Record._make, self.parts())


_SAID: Final = tuple(map(attrgetter, ("offset", "timestamp", "key", "value", "headers")))
