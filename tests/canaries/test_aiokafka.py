"""What aiokafka does, on both brokers, that sending, recovery and the transport lean on."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition, codec
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaTimeoutError, ProducerFenced
from aiokafka.partitioner import DefaultPartitioner, murmur2
from aiokafka.producer.message_accumulator import MessageAccumulator
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic
from kafka.structs import TopicPartition as SyncTopicPartition

from streams.sending import partition_of


@pytest.fixture
def topic(broker: str, fresh_topic: Callable[[str], str]) -> str:
    """A new topic of two partitions."""
    return _create(broker, fresh_topic("canary"))


def _create(address: str, name: str) -> str:
    with KafkaAdminClient(bootstrap_servers=address) as admin:
        admin.create_topics([NewTopic(name, 2, 1)])
        admin.wait_for_topics([name])
    return name


async def test_a_batchs_acknowledgement_has_the_offset_of_its_first_record(broker: str, topic: str) -> None:
    sizes = (100, 1, 57, 3)
    async with AIOKafkaProducer(bootstrap_servers=broker, acks="all") as producer:
        waiting = []
        for size in sizes:
            batch = producer.create_batch()
            for _ in range(size):
                batch.append(key=b"key", value=b"value", timestamp=None)
            waiting.append(await producer.send_batch(batch, topic, partition=1))
        offsets = [(await one).offset for one in waiting]
    assert offsets == [0, 100, 101, 158], "versions are counted from these offsets (streams/sending.py)"


async def test_who_waits_for_a_place_in_a_producer_beside_others_is_given_up_long_before_the_time() -> None:
    """Should this fail, streams/sending.py need not let senders wait in turn any more."""
    place, patience_s = TopicPartition("topic", 0), 60
    held = MessageAccumulator(SimpleNamespace(leader_for_partition=lambda _place: 1), 1_000, 0, 60)

    async def keep_sending() -> None:
        while True:
            batch = held.create_builder()
            batch.append(key=b"key", value=b"value", timestamp=1)
            await held.add_batch(batch, place, patience_s)

    senders = [asyncio.create_task(keep_sending()) for _ in range(4)]
    began = asyncio.get_running_loop().time()
    while not any(sender.done() for sender in senders):
        await asyncio.sleep(0.01)
        nodes, _ = held.drain_by_nodes(())
        for batches in nodes.values():
            for batch in batches.values():
                batch.done(0, -1)
    assert asyncio.get_running_loop().time() - began < patience_s / 2
    for sender in senders:
        sender.cancel()
    ended = await asyncio.gather(*senders, return_exceptions=True)
    assert KafkaTimeoutError in map(type, ended)


async def test_headers_and_tombstones_arrive_as_they_were_sent(broker: str, topic: str) -> None:
    headers = [("one", b"1"), ("empty", b""), ("one", b"2")]
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        batch = producer.create_batch()
        batch.append(key=b"key", value=None, timestamp=None, headers=headers)
        await (await producer.send_batch(batch, topic, partition=0))
    async with AIOKafkaConsumer(bootstrap_servers=broker) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        record = await consumer.getone()
    assert (record.key, record.value, list(record.headers)) == (b"key", None, headers)


@pytest.mark.parametrize("compression", ["gzip", "lz4", "zstd", "snappy"])
async def test_all_compressions_go_through(broker: str, topic: str, compression: str) -> None:
    value = compression.encode() * 50
    async with AIOKafkaProducer(bootstrap_servers=broker, compression_type=compression) as producer:
        await producer.send_and_wait(topic, value, partition=0)
    async with AIOKafkaConsumer(bootstrap_servers=broker) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        assert (await consumer.getone()).value == value


async def test_offsets_are_kept_for_a_group_that_nobody_joined(broker: str, topic: str) -> None:
    place = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=broker, group_id=topic, enable_auto_commit=False) as first:
        first.assign([place])
        await first.commit({place: 7})
    async with AIOKafkaConsumer(bootstrap_servers=broker, group_id=topic, enable_auto_commit=False) as second:
        second.assign([place])
        assert await second.committed(place) == 7
    other = KafkaConsumer(bootstrap_servers=broker, group_id=topic, enable_auto_commit=False)
    try:
        assert other.committed(SyncTopicPartition(*place)) == 7
    finally:
        other.close()


async def test_a_taken_over_transactional_id_shuts_its_earlier_owner_out(
    kafka: str, fresh_topic: Callable[[str], str]
) -> None:
    topic = _create(kafka, fresh_topic("canary"))
    place = TopicPartition(topic, 0)
    earlier = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=topic)
    later = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=topic)
    await earlier.start()
    try:
        await earlier.begin_transaction()
        await earlier.send_and_wait(topic, b"of the earlier owner", partition=0)
        await later.start()
        with pytest.raises(ProducerFenced):
            await earlier.commit_transaction()
        async with later.transaction():
            await later.send_and_wait(topic, b"of the later owner", partition=0)
    finally:
        await later.stop()
        await earlier.stop()
    async with AIOKafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed") as consumer:
        consumer.assign([place])
        await consumer.seek_to_beginning()
        records = [await consumer.getone()]
        end = (await consumer.end_offsets([place]))[place]
        async with asyncio.timeout(10):
            while await consumer.position(place) < end:
                for batch in (await consumer.getmany(timeout_ms=100)).values():
                    records += batch
    assert [record.value for record in records] == [b"of the later owner"]


async def test_the_first_record_of_a_batch_is_taken_however_large_it_is(
    broker: str, fresh_topic: Callable[[str], str]
) -> None:
    topic = fresh_topic("canary")
    with KafkaAdminClient(bootstrap_servers=broker) as admin:
        admin.create_topics([NewTopic(topic, 1, 1, topic_configs={"max.message.bytes": "2097176"})])
        admin.wait_for_topics([topic])
    large = b"x" * 1_300_000  # a dead letter: 900,000 bytes in base64, and more
    async with AIOKafkaProducer(
        bootstrap_servers=broker, max_batch_size=900_000, max_request_size=3_600_000
    ) as producer:
        batch = producer.create_batch()
        assert batch.append(key=None, value=large, timestamp=None) is not None, (
            "a record may be too large for a batch: dead letters of large records cannot be sent by Sender any more"
        )
        assert batch.append(key=None, value=b"y", timestamp=None) is None
        await (await producer.send_batch(batch, topic, partition=0))
    async with AIOKafkaConsumer(bootstrap_servers=broker, max_partition_fetch_bytes=100_000) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        assert (await consumer.getone()).value == large, "what is larger than a fetch is not read any more"


async def test_a_producers_time_is_told_as_such(broker: str, topic: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        batch = producer.create_batch()
        batch.append(key=None, value=b"value", timestamp=1_600_000_000_000)
        await (await producer.send_batch(batch, topic, partition=0))
    async with AIOKafkaConsumer(bootstrap_servers=broker) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        record = await consumer.getone()
    assert (record.timestamp, record.timestamp_type) == (1_600_000_000_000, 0)


async def test_batches_for_one_partition_stay_in_order_while_many_are_under_way(broker: str, topic: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker, acks="all", linger_ms=0) as producer:
        waiting = []
        for number in range(50):
            batch = producer.create_batch()
            batch.append(key=None, value=b"%d" % number, timestamp=None)
            waiting.append(await producer.send_batch(batch, topic, partition=0))
        assert [(await one).offset for one in waiting] == list(range(50))


@pytest.mark.parametrize("members", [["a"], ["a", "b"], ["a", "b", "c"], list("abcdefg")])
def test_partitions_of_one_number_go_to_one_member(members: list[str]) -> None:
    topics = ("shipment.events", "delivery.contributions", "lead.contributions")
    cluster = SimpleNamespace(partitions_for_topic=lambda _topic: {0, 1, 2, 3})
    metadata = {member: RangePartitionAssignor.metadata(topics) for member in members}
    assigned = RangePartitionAssignor.assign(cluster, metadata)
    owners: dict[int, set[str]] = defaultdict(set)
    for member, assignment in assigned.items():
        for _, numbers in assignment.assignment:
            for number in numbers:
                owners[number].add(member)
    assert owners.keys() == {0, 1, 2, 3}
    assert all(len(owner) == 1 for owner in owners.values()), "an agent's inputs are not assigned together any more"


async def test_a_batch_that_is_full_says_so(tansu: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=tansu, max_batch_size=500) as producer:
        batch = producer.create_batch()
        taken = 0
        while batch.append(key=None, value=b"x" * 100, timestamp=None) is not None:
            taken += 1
    assert 0 < taken == batch.record_count() < 5


def test_every_codec_that_a_supplier_may_use_is_installed() -> None:
    found = {name: getattr(codec, f"has_{name}")() for name in ("gzip", "lz4", "snappy", "zstd")}
    assert all(found.values()), f"one record with a missing codec stops the fetcher: {found}"


@pytest.mark.parametrize(
    ("key", "expected"),
    [  # from Apache Kafka's UtilsTest.testMurmur2
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_keys_are_hashed_as_java_does(key: bytes, expected: int) -> None:
    assert murmur2(key) & 0xFFFFFFFF == expected & 0xFFFFFFFF


@given(key=st.binary(max_size=40), partitions=st.integers(1, 64))
def test_kafka_python_puts_keys_where_the_agents_expect_them(key: bytes, partitions: int) -> None:
    everything = set(range(partitions))
    cluster = SimpleNamespace(
        topics=lambda: {"topic"},
        partitions_for_topic=lambda _: everything,
        available_partitions_for_topic=lambda _: everything,
    )
    theirs = KafkaProducer.DEFAULT_CONFIG["partitioner"].partition("topic", key, key, None, None, cluster)
    assert theirs == partition_of(key, partitions)
    assert DefaultPartitioner()(key, list(everything), list(everything)) == partition_of(key, partitions)
