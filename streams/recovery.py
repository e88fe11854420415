"""Bringing a partition's facts back from its changelog.

Not by Faust's own table recovery: that one swallows errors, and it reads before a takeover can be fenced.
Here the changelog is read from its beginning to its true end, and every row is merged, so that rows may
stand there twice or in another order than they were written (docs/architecture.md, "Recovery").
"""

from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.ends import true_ends
from streams.rows import Codec
from streams.table import Partition

_POLL_MS: Final = 500


async def recover(bootstrap: str, changelog: str, number: int, codec: Codec) -> Partition:
    """The partition as its changelog tells; raises what the reading raises, and ForeignRow."""
    partition = Partition()
    place = TopicPartition(changelog, number)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
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
    finally:
        await consumer.stop()
    return partition
