from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.structs import TopicPartition as SyncTopicPartition

from schemas.errors import Unreachable
from streams import ends
from streams.ends import last_records, true_beginnings, true_ends, true_ends_sync

_PARTITIONS = 12


@pytest.fixture
def topic(broker: str, fresh_topic: Callable[[str], str]) -> str:
    return _create(broker, fresh_topic("ends"))


def _create(address: str, name: str) -> str:
    with KafkaAdminClient(bootstrap_servers=address) as admin:
        admin.create_topics([NewTopic(name, _PARTITIONS, 1)])
        admin.wait_for_topics([name])
    return name


def _places(topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, partition) for partition in range(_PARTITIONS)]


async def _fill(address: str, topic: str) -> dict[TopicPartition, int]:
    """Write partition * 10 records into each partition, in batches of 7; how many there are."""
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        for partition in range(_PARTITIONS):
            left = partition * 10
            while left:
                batch = producer.create_batch()
                for _ in range(min(7, left)):
                    batch.append(key=b"key", value=b"value" * 20, timestamp=None)
                left -= batch.record_count()
                await (await producer.send_batch(batch, topic, partition=partition))
    return {place: place.partition * 10 for place in _places(topic)}


async def test_ends_are_the_number_of_records_also_where_there_are_none(broker: str, topic: str) -> None:
    written = await _fill(broker, topic)
    async with AIOKafkaConsumer(bootstrap_servers=broker) as consumer:
        assert await true_ends(consumer, _places(topic)) == written
        assert set((await true_beginnings(consumer, _places(topic))).values()) == {0}
        assert await last_records(consumer, _places(topic)) == {
            place: records - 1 for place, records in written.items()
        }


async def test_asking_does_not_move_a_consumer(broker: str, topic: str) -> None:
    await _fill(broker, topic)
    place = TopicPartition(topic, 3)
    async with AIOKafkaConsumer(bootstrap_servers=broker) as consumer:
        consumer.assign([place])
        await consumer.seek_to_beginning()
        first = await consumer.getone()
        await true_ends(consumer, _places(topic))
        await last_records(consumer, _places(topic))
        second = await consumer.getone()
    assert (first.offset, second.offset) == (0, 1)


async def test_kafka_python_tells_the_same_for_names_and_for_places(broker: str, topic: str) -> None:
    written = await _fill(broker, topic)
    assert true_ends_sync(broker, [topic]) == written
    with KafkaAdminClient(bootstrap_servers=broker) as admin:
        assert true_ends_sync(admin, [(topic, 5), (topic, 0)]) == {(topic, 5): 50, (topic, 0): 0}
        assert true_ends_sync(admin, []) == {}


async def test_a_partition_that_is_not_there_is_named(broker: str, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "_PATIENCE_S", 0.2)
    async with AIOKafkaConsumer(bootstrap_servers=broker) as consumer:
        with pytest.raises(Unreachable, match=rf"{topic}\[77\]"):
            await true_ends(consumer, [(topic, 0), (topic, 77)])
    with pytest.raises(Unreachable, match="77"):
        true_ends_sync(broker, [(topic, 77)])


async def test_the_last_record_is_neither_a_marker_nor_aborted_nor_of_an_open_transaction(
    kafka: str, fresh_topic: Callable[[str], str]
) -> None:
    topic = _create(kafka, fresh_topic("ends"))
    committed, aborted_after, only_aborted, open_after, empty = _places(topic)[:5]
    async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=topic) as producer:
        async with producer.transaction():
            for place in (committed, aborted_after, open_after):
                for _ in range(3):
                    await producer.send_and_wait(topic, b"committed", partition=place.partition)
        for _ in range(20):
            await producer.begin_transaction()
            for place in (aborted_after, only_aborted):
                await producer.send_and_wait(topic, b"aborted", partition=place.partition)
            await producer.abort_transaction()
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"open", partition=open_after.partition)
        places = (committed, aborted_after, only_aborted, open_after, empty)
        async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
            found = await last_records(consumer, places)
            told = await true_ends(consumer, places)
        await producer.abort_transaction()
    assert found == {committed: 2, aborted_after: 2, only_aborted: -1, open_after: 2, empty: -1}
    assert told == {committed: 4, aborted_after: 44, only_aborted: 40, open_after: 5, empty: 0}


async def test_what_was_deleted_from_the_beginning_is_not_counted_in(
    kafka: str, fresh_topic: Callable[[str], str]
) -> None:
    topic = _create(kafka, fresh_topic("ends"))
    written = await _fill(kafka, topic)
    kept, emptied = TopicPartition(topic, 2), TopicPartition(topic, 3)
    with KafkaAdminClient(bootstrap_servers=kafka) as admin:
        admin.delete_records({SyncTopicPartition(*kept): 15, SyncTopicPartition(*emptied): 30})
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
        assert await true_beginnings(consumer, [kept, emptied]) == {kept: 15, emptied: 30}
        assert await last_records(consumer, [kept, emptied]) == {kept: 19, emptied: -1}
        assert await true_ends(consumer, written) == written
    assert true_ends_sync(kafka, [topic]) == written


def test_brokers_that_are_not_there_are_reported() -> None:
    with pytest.raises(Unreachable, match="check that the broker runs"):
        true_ends_sync("127.0.0.1:1", ["topic"], bootstrap_timeout_ms=200)
