"""Bringing a partition's facts back from its changelog.

Not by Faust's own table recovery: that one swallows errors, and it reads before a takeover can be fenced.
Here the changelog is read from its beginning to its true end, and every row is merged, so that rows may
stand there twice or in another order than they were written (docs/architecture.md, "Recovery").
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.errors import QuaysideError
from streams.agents import WORKER_GROUP
from streams.connection import for_aiokafka
from streams.ends import last_records, true_ends
from streams.table import Partition

_POLL_MS: Final = 500


class LostChangelog(QuaysideError):
    """The state that committed offsets stand for is not there."""

    exit_code = 2


async def recover(bootstrap: str, changelog: str, partitions: Mapping[int, Partition], inputs: Iterable[str]) -> None:
    """Fill new partitions with what their changelog tells; note how far inputs have to be read to be caught up.

    All together by one consumer: starting one takes a tenth of a second and more.

    Raises:
        LostChangelog: Offsets of the agent's inputs are committed, but the changelog has no header.
        ForeignRow: A row was written by another version.
    """
    places = [TopicPartition(changelog, number) for number in partitions]
    sources = [TopicPartition(topic, number) for topic in inputs for number in partitions]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=WORKER_GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # an assignment's own reset may come after the seek: then it does no harm
        isolation_level="read_committed",
        max_partition_fetch_bytes=8 << 20,
        **for_aiokafka(),
    )
    await consumer.start()
    try:
        consumer.assign(places)
        # Offsets first: one that is committed after the changelog was read does not speak of what was read.
        found = await asyncio.gather(*map(consumer.committed, sources))
        committed = {source: offset or 0 for source, offset in zip(sources, found, strict=True)}
        ends = await true_ends(consumer, places)
        await _read(consumer, {place: end for place, end in ends.items() if end}, partitions)
        for number, partition in partitions.items():
            if partition.epoch is None:
                _refuse_loss(changelog, {place: offset for place, offset in committed.items() if place[1] == number})
        for (topic, number), last in (await last_records(consumer, sources)).items():
            if last + 1 > committed[TopicPartition(topic, number)]:
                partitions[number].goals[topic] = last + 1
    finally:
        await consumer.stop()
    for partition in partitions.values():
        partition.recovered()


async def _read(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], partitions: Mapping[int, Partition]
) -> None:
    """Merge every row up to the ends."""
    missing = dict(ends)
    if missing:
        await consumer.seek_to_beginning(*missing)
    while missing:
        for place, records in (await consumer.getmany(timeout_ms=_POLL_MS)).items():
            take = partitions[place.partition].recover
            for record in records:
                take(record.key, record.value, record.offset)
        for place in list(missing):
            if await consumer.position(place) >= missing[place]:
                del missing[place]


def _refuse_loss(changelog: str, committed: Mapping[TopicPartition, int]) -> None:
    """A header is written before any offset is committed, so offsets without one mean that the state is lost."""
    for place, offset in committed.items():
        if offset:
            raise LostChangelog(
                f"{changelog} partition {place.partition} is empty, but {offset} records of {place.topic} were "
                "processed into it: the changelog was deleted. Nothing was overwritten; bring it back, or make all "
                "topics anew under the next QUAYSIDE_EPOCH and publish the history again."
            )
