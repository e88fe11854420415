"""What is sent stands when a send returns: acknowledged, in one transaction with its offset, by the one owner."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator

from schemas.times import DAY_MS
from schemas.topics import Topic
from schemas.versions import Version
from streams.administration import create_topics
from streams.agents import WORKER_GROUP
from streams.clock import Clock
from streams.facts import Fact
from streams.leads.derive import LeadTimes
from streams.recovery import recover
from streams.rows import Codec
from streams.sending import MAX_BATCH_BYTES, Record, Sender, new_producer
from streams.steps import Transactions
from streams.table import Partition


class _Broker:
    """A producer whose batches wait for `answers`; it writes down what it is asked."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.answers: list[asyncio.Future[Any]] = []

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(MAX_BATCH_BYTES, 0)

    async def send_batch(self, _batch: BatchBuilder, topic: str, *, partition: int) -> asyncio.Future[Any]:
        self.told.append(("send", topic, partition))
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]

    async def send_offsets_to_transaction(self, offsets: Any, group: str) -> None:
        self.told.append(("offsets", offsets, group))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        self.told.append("begin")
        yield
        self.told.append("commit")


class _Busy:
    """A producer that holds one batch of each partition, as aiokafka's own accumulator has it, and drains slowly."""

    def __init__(self) -> None:
        cluster = SimpleNamespace(leader_for_partition=lambda _place: 1)
        self._held = MessageAccumulator(cluster, MAX_BATCH_BYTES, 0, 40)

    def create_batch(self) -> BatchBuilder:
        return self._held.create_builder()

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> Any:
        return await self._held.add_batch(batch, TopicPartition(topic, partition), 5)

    async def drain(self) -> None:
        while True:
            await asyncio.sleep(0.01)
            nodes, _ = self._held.drain_by_nodes(())
            for batches in nodes.values():
                for batch in batches.values():
                    batch.done(0, -1)


async def turns() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("way", ["send", "send_to"])
async def test_a_send_waits_for_its_acknowledgement_and_raises_if_there_is_none(way: str) -> None:
    broker, sender, row = _Broker(), Sender("nowhere", "test", {"topic": 1}), Record(b"key", b"value")
    with patch.object(sender, "start", return_value=broker):
        if way == "send":
            sending: asyncio.Task[Any] = asyncio.create_task(sender.send([("topic", row)]))
        else:
            sending = asyncio.create_task(sender.send_to("topic", 0, [row]))
        await turns()
        assert not sending.done(), "the next step would begin before this one stands"
        broker.answers[0].set_exception(KafkaError())
        with pytest.raises(KafkaError):
            await sending


async def test_the_sources_offset_is_the_last_thing_in_the_transaction() -> None:
    broker, steps = _Broker(), Transactions("nowhere", {"topic": 1})
    with patch.object(Sender, "start", return_value=broker):
        await steps.take_over("stock", [0])
        async with steps.batch("stock", 0, {("source", 0): 8}) as sender:
            sending = asyncio.create_task(sender.send_to("topic", 0, [Record(b"key", b"value")]))
            await turns()
            broker.answers[0].set_result(SimpleNamespace(offset=4))
            assert await sending == [4]
    place = TopicPartition("source", 0)
    assert broker.told == ["begin", ("send", "topic", 0), ("offsets", {place: 8}, WORKER_GROUP), "commit"]


async def test_all_in_sync_replicas_acknowledge() -> None:
    assert new_producer("127.0.0.1:1", "test")._sender._acks == -1


def _topic(broker: str, name: str) -> TopicPartition:
    create_topics(broker, [Topic(name, "state", "", "", None, compacted=True, partitions=1)])
    return TopicPartition(name, 0)


async def _a_batch(
    steps: Transactions,
    agent: str,
    place: TopicPartition,
    *sent: Record | bytes,
    offset: int | None = None,
    before_its_end: Awaitable[None] | None = None,
) -> None:
    """Send records (or values) as one batch; `offset`: the next one of its source, which is the same partition."""
    records = [one if isinstance(one, Record) else Record(b"key", one) for one in sent]
    async with steps.batch(agent, 0, {} if offset is None else {tuple(place): offset}) as sender:
        await sender.send_to(place.topic, 0, records)
        if before_its_end is not None:
            await before_its_end


async def _failure() -> None:
    raise ZeroDivisionError


async def _read(broker: str, place: TopicPartition) -> list[bytes | None]:
    """What a read-committed consumer gets."""
    async with AIOKafkaConsumer(bootstrap_servers=broker, isolation_level="read_committed") as consumer:
        consumer.assign([place])
        await consumer.seek_to_beginning()
        end = (await consumer.end_offsets([place]))[place]
        values = []
        async with asyncio.timeout(20):
            while await consumer.position(place) < end:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    values += [record.value for record in records]
    return values


async def test_who_takes_a_partition_over_shuts_its_earlier_owner_out(
    kafka: str, fresh_topic: Callable[[str], str]
) -> None:
    place, agent = _topic(kafka, fresh_topic("facts")), fresh_topic("agent")
    earlier, later = (Transactions(kafka, {place.topic: 1}) for _ in range(2))
    try:
        await earlier.take_over(agent, [0])
        with pytest.raises(ProducerFenced):
            await _a_batch(earlier, agent, place, b"of the earlier owner", before_its_end=later.take_over(agent, [0]))
        await _a_batch(later, agent, place, b"of the later owner")
    finally:
        await later.stop()
        await earlier.stop()
    assert await _read(kafka, place) == [b"of the later owner"]


async def test_a_batch_that_fails_leaves_neither_records_nor_offset(
    kafka: str, fresh_topic: Callable[[str], str]
) -> None:
    place, agent = _topic(kafka, fresh_topic("facts")), fresh_topic("agent")
    steps = Transactions(kafka, {place.topic: 1})
    try:
        await steps.take_over(agent, [0])
        with pytest.raises(ZeroDivisionError):
            await _a_batch(steps, agent, place, b"of a batch that failed", offset=5, before_its_end=_failure())
        await _a_batch(steps, agent, place, b"of the next one", offset=3)
        await steps.take_over(agent, [0])  # after which everything stands
    finally:
        await steps.stop()
    assert await _read(kafka, place) == [b"of the next one"]
    async with AIOKafkaConsumer(bootstrap_servers=kafka, group_id=WORKER_GROUP, enable_auto_commit=False) as consumer:
        consumer.assign([place])
        assert await consumer.committed(place) == 3


async def test_rows_of_a_batch_that_failed_are_not_brought_back(kafka: str, fresh_topic: Callable[[str], str]) -> None:
    place, agent, codec = _topic(kafka, fresh_topic("facts")), fresh_topic("agent"), Codec(int)
    facts = [codec.fact("e", "i", Fact(Version(number, 0, b""), number)) for number in (1, 2)]
    records = [Record(row.key, row.value) for row in (codec.header(7), *facts)]
    steps = Transactions(kafka, {place.topic: 1})
    try:
        await steps.take_over(agent, [0])
        await _a_batch(steps, agent, place, *records[:2])
        with pytest.raises(ZeroDivisionError):
            await _a_batch(steps, agent, place, *records[2:], before_its_end=_failure())
        await steps.take_over(agent, [0])
        partition = Partition(LeadTimes(), codec, Clock(DAY_MS))
        await recover(kafka, place.topic, {0: partition}, [])
    finally:
        await steps.stop()
    assert (partition.epoch, partition.entities["e"].facts["i"].payload) == (7, 1)


async def test_a_partition_is_caught_up_behind_a_transaction(kafka: str, fresh_topic: Callable[[str], str]) -> None:
    source, changelog = (_topic(kafka, fresh_topic(stem)) for stem in ("source", "facts"))
    agent, codec = fresh_topic("agent"), Codec(int)
    header = codec.header(7)
    steps = Transactions(kafka, {source.topic: 1, changelog.topic: 1})
    try:
        await steps.take_over(agent, [0])
        await _a_batch(steps, agent, source, b"1", b"2", b"3", offset=3)
        await _a_batch(steps, agent, changelog, Record(header.key, header.value))
        await steps.take_over(agent, [0])
        partition = Partition(LeadTimes(), codec, Clock(DAY_MS))
        await recover(kafka, changelog.topic, {0: partition}, [source.topic])
    finally:
        await steps.stop()
    assert partition.goals == {}, "what stands at its end is a control record, which nobody is ever handed"


def test_several_that_send_to_one_partition_get_their_turns() -> None:
    async def scenario() -> None:
        broker, sender = _Busy(), Sender("nowhere", "test", {"topic": 1})
        row = Record(b"key", b"value" * (MAX_BATCH_BYTES // 8))  # two of them are more than a batch
        with patch.object(sender, "start", return_value=broker):
            draining = asyncio.create_task(broker.drain())
            await asyncio.gather(*(sender.send_to("topic", 0, [row] * 30) for _ in range(4)))
            draining.cancel()

    asyncio.run(scenario())
