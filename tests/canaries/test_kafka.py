"""What Apache Kafka does, asked through our clients, that transactions, recovery and takeovers lean on."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, ProducerFenced
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic

from streams.ends import last_records, true_ends

_LONG_AGO_MS: Final = 1_600_000_000_000
_PATIENCE_S: Final = 20.0


@pytest.fixture
def create(kafka: str, fresh_topic: Callable[[str], str]) -> Callable[..., str]:
    """Creates topics of one partition with these settings."""

    def made(**settings: str) -> str:
        name = fresh_topic("canary")
        config = {key.replace("_", "."): value for key, value in settings.items()}
        with KafkaAdminClient(bootstrap_servers=kafka) as admin:
            admin.create_topics([NewTopic(name, 1, 1, topic_configs=config)])
            admin.wait_for_topics([name])
        return name

    return made


async def _committed(kafka: str, group: str, place: TopicPartition) -> int | None:
    async with AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False) as consumer:
        consumer.assign([place])
        found: int | None = await consumer.committed(place)
        return found


async def _soon(ask: Callable[[], Awaitable[Any]], expected: object) -> None:
    """A commit is answered before anybody sees what was committed: the markers are written after the answer."""
    async with asyncio.timeout(_PATIENCE_S):
        while await ask() != expected:  # noqa: ASYNC110  # the broker tells nobody when it has written them
            await asyncio.sleep(0.05)


async def test_log_append_time_is_the_brokers_and_says_so(kafka: str, create: Callable[..., str]) -> None:
    topic = create(message_timestamp_type="LogAppendTime")
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(topic, b"value", partition=0, timestamp_ms=_LONG_AGO_MS)
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        record = await consumer.getone()
    assert record.timestamp > _LONG_AGO_MS, "the append time is the producer's: nothing judges clocks any more"
    assert record.timestamp_type == 1


async def test_a_marker_stands_behind_a_transaction_and_positions_pass_it(
    kafka: str, create: Callable[..., str]
) -> None:
    place = TopicPartition(create(), 0)
    async with (
        AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=place.topic) as producer,
        producer.transaction(),
    ):
        batch = producer.create_batch()
        for _ in range(3):
            batch.append(key=b"key", value=b"value", timestamp=None)
        await (await producer.send_batch(batch, place.topic, partition=0))
    async with AIOKafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed") as consumer:
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        await _soon(lambda: true_ends(consumer, [place]), {place: 4})
        await _soon(lambda: last_records(consumer, [place]), {place: 2})
        read = 0
        async with asyncio.timeout(_PATIENCE_S):  # recovery waits just so
            while await consumer.position(place) < 4:
                read += sum(map(len, (await consumer.getmany(timeout_ms=100)).values()))
    assert read == 3


async def test_offsets_in_a_transaction_are_the_groups_when_it_commits(kafka: str, create: Callable[..., str]) -> None:
    place = TopicPartition(create(), 0)
    group = place.topic
    async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=group) as producer:
        async with producer.transaction():
            await producer.send_and_wait(place.topic, b"value", partition=0)
            await producer.send_offsets_to_transaction({place: 7}, group)
            assert await _committed(kafka, group, place) is None
        await _soon(lambda: _committed(kafka, group, place), 7)
        with suppress(ZeroDivisionError):
            async with producer.transaction():
                await producer.send_offsets_to_transaction({place: 9}, group)
                raise ZeroDivisionError
        assert await _committed(kafka, group, place) == 7


async def test_offsets_in_a_transaction_need_no_membership_and_mix_with_a_members(
    kafka: str, create: Callable[..., str]
) -> None:
    place = TopicPartition(create(), 0)
    group = place.topic
    member = AIOKafkaConsumer(
        place.topic, bootstrap_servers=kafka, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await member.start()
    try:
        async with (
            AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=group) as producer,
            producer.transaction(),
        ):
            await producer.send_offsets_to_transaction({place: 7}, group)
        await _soon(lambda: member.committed(place), 7)  # Faust seeks there
        await member.seek_to_committed()
        assert await member.position(place) == 7
    finally:
        await member.stop()


async def test_a_takeover_undoes_what_the_earlier_owner_left_open(kafka: str, create: Callable[..., str]) -> None:
    place = TopicPartition(create(), 0)
    group = place.topic
    earlier = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=group)
    later = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=group)
    await earlier.start()
    try:
        await earlier.begin_transaction()
        await earlier.send_and_wait(place.topic, b"left open", partition=0)
        await earlier.send_offsets_to_transaction({place: 7}, group)
        await later.start()
        with pytest.raises(ProducerFenced):
            await earlier.send_and_wait(place.topic, b"of a zombie", partition=0)
        assert await _committed(kafka, group, place) is None
        async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
            assert await last_records(consumer, [place]) == {place: -1}, "recovery would read what was undone"
    finally:
        await later.stop()
        with suppress(KafkaError, IllegalStateError):
            await earlier.stop()


async def test_after_a_takeover_all_that_the_earlier_owner_committed_stands(
    kafka: str, create: Callable[..., str]
) -> None:
    place = TopicPartition(create(), 0)
    group = place.topic
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
        for number in range(1, 6):
            async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=group) as earlier:
                async with earlier.transaction():
                    await earlier.send_and_wait(place.topic, b"value", partition=0)
                    await earlier.send_offsets_to_transaction({place: number}, group)
                async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=group):
                    assert await _committed(kafka, group, place) == number, "recovery would ask too early"
                    assert await last_records(consumer, [place]) == {place: 2 * number - 2}


async def test_a_static_member_takes_its_own_place_at_once(kafka: str, create: Callable[..., str]) -> None:
    topic = create()
    settings: dict[str, Any] = {
        "bootstrap_servers": kafka,
        "group_id": topic,
        "group_instance_id": "worker-1",
        "session_timeout_ms": 600_000,
        "max_poll_interval_ms": 900_000,
        "rebalance_timeout_ms": 600_000,
        "request_timeout_ms": 610_000,
    }
    gone = AIOKafkaConsumer(topic, **settings)
    again = AIOKafkaConsumer(topic, **settings)
    await gone.start()
    try:
        async with asyncio.timeout(_PATIENCE_S):  # without static membership: the dead one's session, 600 s
            await again.start()
        assert again.assignment() == {TopicPartition(topic, 0)}
    finally:
        await again.stop()
        await gone.stop()


async def test_a_compacted_topic_refuses_a_record_without_a_key(kafka: str, create: Callable[..., str]) -> None:
    topic = create(cleanup_policy="compact")
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        with pytest.raises(KafkaError):  # an UnknownError: aiokafka has no name for Kafka's 87, InvalidRecord
            await producer.send_and_wait(topic, b"value", partition=0)
        await producer.send_and_wait(topic, b"value", key=b"", partition=0)


@pytest.mark.parametrize(
    ("setting", "default", "who_leans_on_it"),
    [
        ("group.min.session.timeout.ms", 6_000, "WorkerConfig.single: a session of 1 s is for Tansu only"),
        ("message.max.bytes", 1_048_588, "streams/sending.py: MAX_BATCH_BYTES; schemas/topics.py"),
        ("offsets.retention.minutes", 7 * 24 * 60, "sinks/history.py: commits again now and then"),
        ("transaction.max.timeout.ms", 900_000, "streams/steps.py: aiokafka asks for 60 s"),
    ],
)
def test_the_brokers_own_defaults_are_those_that_we_allow_for(
    kafka: str, setting: str, default: int, who_leans_on_it: str
) -> None:
    with KafkaAdminClient(bootstrap_servers=kafka) as admin:
        asked = [ConfigResource(ConfigResourceType.BROKER, "1")]
        described = admin.describe_configs(asked, include_synonyms=True, config_filter="all")["broker"]["1"]
    values = [int(one["value"]) for one in described[setting]["synonyms"] if one["source"] == "DEFAULT_CONFIG"]
    assert values == [default], who_leans_on_it
