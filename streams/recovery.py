"""Bringing a partition's facts back from its changelog.

Not by Faust's own table recovery: that one swallows errors, and it reads before a takeover can be fenced.
Here the changelog is read from its beginning to its true end, and every row is merged, so that rows may
stand there twice or in another order than they were written (docs/architecture.md, "Recovery").
"""

from collections.abc import Iterable
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.errors import QuaysideError
from streams.agents import WORKER_GROUP
from streams.ends import true_ends
from streams.rows import Codec
from streams.table import Partition

_POLL_MS: Final = 500


class LostChangelog(QuaysideError):
    """The state that committed offsets stand for is not there."""

    exit_code = 2


async def recover(bootstrap: str, changelog: str, number: int, codec: Codec, inputs: Iterable[str]) -> Partition:
    """The partition as its changelog tells.

    Raises:
        LostChangelog: Offsets of the agent's inputs are committed, but the changelog has no header.
        ForeignRow: A row was written by another version.
    """
    partition = Partition()
    place = TopicPartition(changelog, number)
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
                    partition.recover(record.key, record.value, record.offset, codec)
        if partition.epoch is None:
            await _refuse_loss(consumer, changelog, [TopicPartition(topic, number) for topic in inputs])
    finally:
        await consumer.stop()
    return partition


async def _refuse_loss(consumer: AIOKafkaConsumer, changelog: str, inputs: Iterable[TopicPartition]) -> None:
    """A header is written before any offset is committed, so offsets without one mean that the state is lost."""
    for place in inputs:
        committed = await consumer.committed(place)
        if committed:
            raise LostChangelog(
                f"{changelog} partition {place.partition} is empty, but {committed} records of {place.topic} were "
                "processed into it: the changelog was deleted. Nothing was overwritten; bring it back, or make all "
                "topics anew under the next QUAYSIDE_EPOCH and publish the history again."
            )
