"""What Tansu, the embedded broker, does otherwise than Apache Kafka."""

import asyncio
import time
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaClient, AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import UnknownError
from aiokafka.protocol.fetch import FetchRequest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic
from kafka.errors import IncompatibleBrokerVersion, KafkaError
from kafka.structs import TopicPartition as SyncTopicPartition

from streams.ends import true_ends

_LONG_AGO_MS = 1_600_000_000_000


@pytest.fixture
def topic(tansu: str, fresh_topic: Callable[[str], str]) -> str:
    """A new topic of one partition that asks for LogAppendTime."""
    name = fresh_topic("canary")
    with KafkaAdminClient(bootstrap_servers=tansu) as admin:
        admin.create_topics([NewTopic(name, 1, 1, topic_configs={"message.timestamp.type": "LogAppendTime"})])
    return name


async def _send_batches(address: str, topic: str, sizes: tuple[int, ...], timestamp: int | None = None) -> None:
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        for size in sizes:
            batch = producer.create_batch()
            for number in range(size):
                batch.append(key=b"key", value=b"%d" % number, timestamp=timestamp)
            await (await producer.send_batch(batch, topic, partition=0))


async def test_list_offsets_does_not_tell_the_end_but_a_fetch_does(tansu: str, topic: str) -> None:
    await _send_batches(tansu, topic, (3, 5))
    place = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=tansu) as consumer:
        answered = await consumer.end_offsets([place])
        ends = await true_ends(consumer, [place])
    assert ends == {place: 8}, "a fetch's high watermark is wrong: nothing tells a partition's end any more"
    assert answered == {place: 4}, "ListOffsets is mended: streams/ends.py need not fetch on Tansu any more"


async def test_a_fetch_with_no_waiting_time_is_answered_with_nothing(tansu: str, topic: str) -> None:
    await _send_batches(tansu, topic, (3,))
    client = AIOKafkaClient(bootstrap_servers=tansu)
    await client.bootstrap()
    try:
        await client.add_topic(topic)
        leader = client.cluster.leader_for_partition(TopicPartition(topic, 0))
        answer = await client.send(leader, FetchRequest(0, 0, 1, 0, [(topic, [(0, 0, 1)])]))
    finally:
        await client.close()
    assert not answer.topics, "a fetch may have a maximum wait of 0 now (_WAIT_MS in streams/ends.py)"


async def test_the_append_time_is_the_producers(tansu: str, topic: str) -> None:
    await _send_batches(tansu, topic, (1,), timestamp=_LONG_AGO_MS)
    async with AIOKafkaConsumer(bootstrap_servers=tansu) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        record = await consumer.getone()
    assert (record.timestamp, record.timestamp_type) == (_LONG_AGO_MS, 0), (
        "LogAppendTime works: on the embedded stack, too, the time of arrival can be believed"
    )


@pytest.mark.parametrize("setting", [{"enable_idempotence": True}, {"transactional_id": "canary"}])
async def test_aiokafka_starts_neither_idempotent_nor_transactional_producers(
    tansu: str, setting: dict[str, object]
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=tansu, **setting)
    try:
        await producer.start()
    except UnknownError:
        return
    finally:
        await producer.stop()
    pytest.fail(f"{setting} works: producers on the embedded stack may have it")


def test_aborted_records_can_be_read(tansu: str, topic: str) -> None:
    producer = KafkaProducer(bootstrap_servers=tansu, transactional_id=topic)
    try:
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(topic, b"aborted", partition=0)
        producer.flush()
        producer.abort_transaction()
    finally:
        producer.close()
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=tansu,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        consumer_timeout_ms=1_000,
    )
    try:
        values = [record.value for record in consumer]
    finally:
        consumer.close()
    assert values == [b"aborted"], "transactions work: the embedded stack may use them as Apache Kafka's"


async def test_asking_for_an_unknown_topic_creates_it(tansu: str, fresh_topic: Callable[[str], str]) -> None:
    name = fresh_topic("misspelt")
    client = AIOKafkaClient(bootstrap_servers=tansu)
    await client.bootstrap()
    try:
        await client.add_topic(name)
    finally:
        await client.close()
    with KafkaAdminClient(bootstrap_servers=tansu) as admin:
        created = name in admin.list_topics()
    assert created, "a misspelt topic stays unknown now: checking all names beforehand is not needed for that"


def test_partitions_cannot_be_added(tansu: str, topic: str) -> None:
    with KafkaAdminClient(bootstrap_servers=tansu) as admin:
        try:
            admin.create_partitions({topic: 2})
        except IncompatibleBrokerVersion:
            return
    pytest.fail("partitions can be added: `rebuild` is not the only way to have more of them")


async def test_the_first_join_takes_a_good_part_of_the_session(tansu: str, topic: str) -> None:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=tansu, group_id=topic, session_timeout_ms=4_000, rebalance_timeout_ms=4_000
    )
    began = time.monotonic()
    await consumer.start()
    took = time.monotonic() - began
    await consumer.stop()
    assert took > 1, "a join is quick now: the embedded worker's session may be longer than 1 s (WorkerConfig.single)"


async def test_a_single_member_that_stalls_is_not_thrown_out(tansu: str, topic: str) -> None:
    place = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(
        topic,
        bootstrap_servers=tansu,
        group_id=topic,
        session_timeout_ms=1_000,
        rebalance_timeout_ms=1_000,
        heartbeat_interval_ms=250,
        enable_auto_commit=False,
    ) as consumer:
        generation = consumer._coordinator.generation
        time.sleep(3)  # noqa: ASYNC251  # nothing of the client may go on, heartbeats included
        await asyncio.sleep(0.6)  # two heartbeats, by which a member learns that it is out
        await consumer.commit({place: 7})
        assert consumer._coordinator.generation == generation
        assert await consumer.committed(place) == 7, "an embedded worker whose batch takes 1 s loses its partitions"


def test_records_cannot_be_deleted(tansu: str, topic: str) -> None:
    with KafkaAdminClient(bootstrap_servers=tansu, request_timeout_ms=3_000) as admin:
        try:
            admin.delete_records({SyncTopicPartition(topic, 0): 0}, timeout_ms=3_000)
        except KafkaError:
            return
    pytest.fail("records can be deleted: an embedded broker's memory can be bounded by it")


async def test_a_fetch_tells_no_last_stable_offset_but_the_end(tansu: str, topic: str) -> None:
    await _send_batches(tansu, topic, (3,))
    client = AIOKafkaClient(bootstrap_servers=tansu)
    await client.bootstrap()
    try:
        await client.add_topic(topic)
        leader = client.cluster.leader_for_partition(TopicPartition(topic, 0))
        answer = await client.send(leader, FetchRequest(100, 0, 1, 1, [(topic, [(0, 0, 1)])]))
    finally:
        await client.close()
    ((_, ((_, error, high, stable, *_),)),) = answer.topics
    assert (error, high) == (0, 3)
    assert stable in {-1, 3}, "streams/ends.py takes a last stable offset below the end for an open transaction"
