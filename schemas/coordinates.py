"""Where a record stands: (epoch, topic, partition, offset), and how a replayed record says where it stood.

`epoch` names one life of a broker or one rebuild. A replayed record carries its first coordinate and its
first append time in a header, so that it is stored once however often it is replayed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

ORIGIN_HEADER: Final = "quayside-origin"


@dataclass(frozen=True, slots=True, order=True)
class Coordinate:
    """A record's place. Unique for ever: no two records of a stack share one."""

    epoch: int
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a replayed record first stood, when it was first appended (ms), and which store it came from."""

    coordinate: Coordinate
    appended_at: int
    store_id: str

    def header(self) -> tuple[str, bytes]:
        """The Kafka header that carries this."""
        where = self.coordinate
        text = f"{where.epoch}/{where.topic}/{where.partition}/{where.offset}/{self.appended_at}/{self.store_id}"
        return ORIGIN_HEADER, text.encode()


def origin_of(headers: Iterable[tuple[str, bytes | None]], appended_at: int) -> Origin | None:
    """The origin that a record's headers tell, or None for a record that is no replay.

    An append time later than the record's own (`appended_at`, ms) is not believed, nor is a header that
    does not parse: the record then counts as new.
    """
    for name, value in headers:
        if name != ORIGIN_HEADER:
            continue
        parts = (value or b"").decode("utf-8", "replace").split("/")
        try:
            epoch, topic, partition, offset, first, store_id = parts
            origin = Origin(Coordinate(int(epoch), topic, int(partition), int(offset)), int(first), store_id)
        except ValueError:
            return None
        return origin if origin.appended_at <= appended_at else None
    return None
