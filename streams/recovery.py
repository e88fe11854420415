"""Bringing a partition's facts back from its changelog.

Not by Faust's own table recovery: that one swallows errors, and it reads before a takeover can be fenced.
Here the changelog is read from its beginning to its true end, and every row is merged, so that rows may
stand there twice or in another order than they were written (docs/architecture.md, "Recovery").
"""

from collections.abc import Iterable, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.errors import QuaysideError
from streams.agents import WORKER_GROUP
from streams.ends import last_records, true_ends
from streams.table import Partition

_POLL_MS: Final = 500


class LostChangelog(QuaysideError):
    """The state that committed offsets stand for is not there."""

    exit_code = 2


async def recover(bootstrap: str, changelog: str, number: int, partition: Partition, inputs: Iterable[str]) -> None:
    """Fill a new partition with what its changelog tells, and note how far its inputs have to be read to be caught up.

    Raises:
        LostChangelog: Offsets of the agent's inputs are committed, but the changelog has no header.
        ForeignRow: A row was written by another version.
    """
    place = TopicPartition(changelog, number)
    sources = [TopicPartition(topic, number) for topic in inputs]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=WORKER_GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # an assignment's own reset may come after the seek: then it does no harm
        isolation_level="read_committed",
        max_partition_fetch_bytes=8 << 20,
    )
    await consumer.start()
    try:
        consumer.assign([place])
        end = (await true_ends(consumer, [place]))[place]
        await consumer.seek_to_beginning(place)
        while await consumer.position(place) < end:
            for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                for record in records:
                    partition.recover(record.key, record.value, record.offset)
        committed = {source: await consumer.committed(source) or 0 for source in sources}
        if partition.epoch is None:
            _refuse_loss(changelog, committed)
        lasts = await last_records(consumer, sources)
        partition.goals.update(
            {source.topic: last + 1 for source, last in lasts.items() if last + 1 > committed[source]}
        )
    finally:
        await consumer.stop()
    partition.recovered()


def _refuse_loss(changelog: str, committed: Mapping[TopicPartition, int]) -> None:
    """A header is written before any offset is committed, so offsets without one mean that the state is lost."""
    for place, offset in committed.items():
        if offset:
            raise LostChangelog(
                f"{changelog} partition {place.partition} is empty, but {offset} records of {place.topic} were "
                "processed into it: the changelog was deleted. Nothing was overwritten; bring it back, or make all "
                "topics anew under the next QUAYSIDE_EPOCH and publish the history again."
            )
