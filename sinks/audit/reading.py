"""The audit's independent reading: records of fact topics as kafka-python reads them, committed ones only."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaConsumer
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from schemas.errors import Unreachable
from schemas.topics import of_kind
from schemas.versions import content_hash
from streams.administration import beginnings, committed_offsets
from streams.agents import HISTORY_GROUP
from streams.connection import for_kafka_python
from streams.settling import ends_of

_POLL_MS: Final = 500
_IN_VAIN: Final = 20
_AT_ONCE: Final = 5_000

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Extent:
    """The offsets of a partition that the broker still has and the history has read: [first, behind)."""

    topic: str
    partition: int
    first: int
    behind: int


def extents(bootstrap: str) -> tuple[Extent, ...]:
    """How far each partition of the fact topics goes. Raises Unreachable."""
    # The committed offsets first: what is committed is in the store when it is asked afterwards.
    committed = committed_offsets(bootstrap, (HISTORY_GROUP,))[HISTORY_GROUP]
    topics = [topic.name for topic in of_kind("fact")]
    ends = ends_of(bootstrap, topics)
    firsts = beginnings(bootstrap, ends)
    return tuple(
        Extent(topic, partition, first, max(first, min(end, committed.get((topic, partition), 0))))
        for (topic, partition), end in sorted(ends.items())
        for first in (firsts.get((topic, partition), 0),)
    )


def present(bootstrap: str, wanted: Mapping[Place, Sequence[int]]) -> dict[Place, list[int]]:
    """Those of the offsets (ascending, below the end) at which a record stands; others are a control record's, or gone.

    Raises Unreachable.
    """
    found: dict[Place, list[int]] = {}
    with _consumer(bootstrap) as consumer:
        for place, offsets in wanted.items():
            left = list(offsets)
            there = found.setdefault(place, [])
            while left:
                batch = [record.offset for record in _from(consumer, place, left[0], left[-1] + 1)]
                reached = batch[-1] if batch else left[-1]
                seen = set(batch)
                there.extend(offset for offset in left if offset in seen)
                left = [offset for offset in left if offset > reached]
    return found


def hashes(bootstrap: str, extent: Extent) -> Iterator[dict[int, str]]:
    """All records of a partition's extent in parts: by offset, the content hash in hex (capital letters)."""
    with _consumer(bootstrap) as consumer:
        place = (extent.topic, extent.partition)
        at = extent.first
        while at < extent.behind:
            records = _from(consumer, place, at, extent.behind)
            if not records:
                return
            yield {record.offset: content_hash(record.value or b"").hex().upper() for record in records}
            at = records[-1].offset + 1


@contextmanager
def _consumer(bootstrap: str) -> Iterator[Any]:
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=bootstrap.split(","),
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="none",
            client_id="quayside-audit",
            **for_kafka_python(),
        )
    except (KafkaError, OSError, ValueError) as error:
        raise Unreachable(
            f"No Kafka broker answers at {bootstrap} ({type(error).__name__}): start it, or set QUAYSIDE_KAFKA."
        ) from None
    try:
        yield consumer
    except KafkaError as error:
        raise Unreachable(f"The broker at {bootstrap} refused or did not answer: {error}.") from None
    finally:
        consumer.close()


def _from(consumer: Any, place: Place, first: int, behind: int) -> list[Any]:
    """The next records from an offset on, below `behind`, which is at most the end; none where there are none."""
    wanted = TopicPartition(*place)
    consumer.assign([wanted])
    consumer.seek(wanted, first)
    for _ in range(_IN_VAIN):
        polled: Iterable[Any] = consumer.poll(timeout_ms=_POLL_MS, max_records=_AT_ONCE).get(wanted, ())
        records = list(polled)
        if records:
            return [record for record in records if record.offset < behind]
        if consumer.position(wanted) >= behind:
            return []
    raise Unreachable(
        f"The broker did not hand over {place[0]} partition {place[1]} from offset {first} on in "
        f"{_IN_VAIN * _POLL_MS // 1000} s: see that it runs, and audit again."
    )
