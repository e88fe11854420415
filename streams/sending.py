"""Acknowledged sends in batches: a send returns when the broker has all of it, with the offsets.

aiokafka's record batches take about 3 microseconds a record where its `send` takes 100. Any failed send
is raised; the caller ends the process before it acknowledges its source (DESIGN: the order of sends).
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from schemas.errors import QuaysideError
from schemas.topics import BY_NAME
from streams.connection import for_aiokafka

MAX_BATCH_BYTES: Final = 900_000
"""Below the 1 MB that brokers take by default; aiokafka's own default of 16 KiB makes many small ones."""


_BROKERS_LARGEST: Final = 1_048_588


class Record(NamedTuple):
    """A record to send. `headers` as Kafka has them."""

    key: bytes
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


Grouped = Mapping[tuple[str, int], Sequence[Record]]
"""Records by the topic and partition they go to."""


class RecordTooLarge(QuaysideError):
    """A record that its topic does not take."""


def fits(topic: str, record: Record) -> bool:
    """Whether the topic takes a record of this size."""
    # The slack between a batch and the largest record is far more than any key and the headers of ours.
    return len(record.value or b"") <= MAX_BATCH_BYTES or _in_a_batch(record) <= _largest(topic)


@lru_cache(maxsize=262_144)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Kafka's own clients give to a key (murmur2, as in Java's DefaultPartitioner)."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions  # In Python: 2-5 microseconds, hence remembered.


def grouped(records: Iterable[tuple[str, Record]], partitions: Mapping[str, int]) -> Grouped:
    """(topic, record) pairs by the partition of each one's key, in their order; `partitions`: of each topic."""
    groups: dict[tuple[str, int], list[Record]] = defaultdict(list)
    for topic, record in records:
        groups[topic, partition_of(record.key, partitions[topic])].append(record)
    return groups


def new_producer(bootstrap: str, client_id: str, transactional_id: str | None = None) -> AIOKafkaProducer:
    """A producer whose sends are acknowledged by all in-sync replicas.

    Without a transactional id it is not idempotent, since aiokafka cannot start an idempotent one on Tansu; a
    retry may then repeat a record, and what is merged twice is merged once.
    """
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        client_id=client_id,
        transactional_id=transactional_id,
        acks="all",
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=4 * MAX_BATCH_BYTES,
        linger_ms=0,
        **for_aiokafka(),
    )


class Sender:
    """Sends records in batches; `partitions`: how many each topic has, the broker is asked for the others.

    Starts its producer with the first send, on the loop that sends.
    """

    def __init__(
        self,
        bootstrap: str,
        client_id: str,
        partitions: Mapping[str, int] | None = None,
        *,
        transactional_id: str | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._transactional_id = transactional_id
        self._partitions = dict(partitions or {})
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._turns: defaultdict[tuple[str, int], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def start(self) -> AIOKafkaProducer:
        """The started producer; raises aiokafka's KafkaConnectionError where no broker answers."""
        async with self._starting:
            if self._producer is None:
                producer = new_producer(self._bootstrap, self._client_id, self._transactional_id)
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
        return self._producer

    async def stop(self) -> None:
        """Send what is buffered and stop."""
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    async def partitions_of(self, topic: str) -> int:
        """How many partitions a topic has, by what is known here or else by the broker."""
        known = self._partitions.get(topic)
        return known or len(await (await self.start()).partitions_for(topic))

    async def send_to(self, topic: str, partition: int, records: Iterable[Record]) -> list[int]:
        """Send to one partition, in order; the offset of each record, once all are acknowledged."""
        return await _acknowledged(await self._hand_over(topic, partition, records))

    async def send(self, records: Iterable[tuple[str, Record]]) -> dict[tuple[str, int], int]:
        """Send (topic, record) pairs, each to its key's partition, in order within each.

        Returns the last offset per (topic, partition), once all are acknowledged.
        """
        listed = records if isinstance(records, list) else list(records)
        for topic in {topic for topic, _ in listed} - self._partitions.keys():
            self._partitions[topic] = await self.partitions_of(topic)
        return await self.send_grouped(grouped(listed, self._partitions))

    async def send_grouped(self, groups: Grouped) -> dict[tuple[str, int], int]:
        """Send records whose partitions are known, as `send` does."""
        waiting = {place: await self._hand_over(*place, group) for place, group in groups.items()}
        return {place: (await _acknowledged(batches))[-1] for place, batches in waiting.items()}

    async def _hand_over(self, topic: str, partition: int, records: Iterable[Record]) -> list[tuple[int, Any]]:
        """Give the records to the producer; (how many, future of the acknowledgement) per batch."""
        producer = await self.start()
        waiting: list[tuple[int, Any]] = []
        batch = producer.create_batch()
        for record in records:
            if not _append(batch, record):
                waiting.append(await self._give(producer, batch, topic, partition))
                batch = producer.create_batch()
                _append(batch, record)  # A batch takes its first record whatever its size.
            if batch.record_count() == 1 and not fits(topic, record):
                raise RecordTooLarge(
                    f"A record of {len(record.value or b'')} bytes for {topic} (key {record.key!r}) is larger than "
                    f"the {_largest(topic)} bytes that the topic takes: the entity has outgrown one message, split it."
                )
        if batch.record_count():
            waiting.append(await self._give(producer, batch, topic, partition))
        return waiting

    async def _give(self, producer: AIOKafkaProducer, batch: Any, topic: str, partition: int) -> tuple[int, Any]:
        """Give a batch to the producer in turn: it holds one for each partition.

        Where several wait for it, aiokafka lets the same one in again and again, and counts what the others have waited
        anew each time (add_batch): with four, it raises KafkaTimeoutError after three seconds instead of 40.
        """
        async with self._turns[topic, partition]:
            return batch.record_count(), await producer.send_batch(batch, topic, partition=partition)


def _append(batch: Any, record: Record) -> bool:
    headers = list(record.headers) if record.headers else []
    return batch.append(key=record.key, value=record.value, timestamp=None, headers=headers) is not None


def _in_a_batch(record: Record) -> int:
    """How many bytes the record takes at most, in a batch of its own."""
    return int(DefaultRecordBatchBuilder.estimate_size_in_bytes(record.key, record.value, list(record.headers)))


@cache
def _largest(topic: str) -> int:
    """The largest batch that the topic takes, in bytes; of a topic that is not ours, Kafka's own default."""
    return int(BY_NAME[topic].config()["max.message.bytes"]) if topic in BY_NAME else _BROKERS_LARGEST


async def _acknowledged(waiting: Iterable[tuple[int, Any]]) -> list[int]:
    offsets: list[int] = []
    for count, acknowledgement in waiting:
        first = (await acknowledgement).offset
        offsets.extend(range(first, first + count))
    return offsets
