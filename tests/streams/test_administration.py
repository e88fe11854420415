"""What a rebuild asks of a broker: topics deleted, made again and grown, offsets set and taken away."""

import asyncio
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer

from schemas.errors import Unreachable
from schemas.topics import Topic
from streams.administration import (
    check_topics,
    committed_offsets,
    create_topics,
    delete_topics,
    forget_offsets,
    grow_topics,
    members_of,
    partition_counts,
    set_offsets,
)
from streams.sending import Record, Sender

DAY = 86_400_000


def topic(name: str, partitions: int = 4) -> Topic:
    return Topic(name, "fact", "key", "SupplierEvent", DAY, partitions=partitions)


@pytest.mark.kafka
def test_topics_grow_and_go_and_come_again_empty(kafka: str, fresh_topic: Callable[[str], str]) -> None:
    kept, gone = fresh_topic("kept"), fresh_topic("gone")
    create_topics(kafka, [topic(kept), topic(gone)], partitions=2)
    grow_topics(kafka, [kept, gone], 3)
    grow_topics(kafka, [kept], 2)
    assert {name: partition_counts(kafka)[name] for name in (kept, gone)} == {kept: 3, gone: 3}
    delete_topics(kafka, [gone, "never-there"])
    assert gone not in partition_counts(kafka)
    assert create_topics(kafka, [topic(kept), topic(gone)], partitions=5) == [gone]
    assert partition_counts(kafka)[gone] == 5


@pytest.mark.kafka
def test_a_topic_with_another_number_of_partitions_than_most_is_a_finding(
    kafka: str, fresh_topic: Callable[[str], str]
) -> None:
    name = fresh_topic("odd")
    create_topics(kafka, [topic(name)], partitions=7)
    (found,) = check_topics(kafka, [topic(name)])
    assert found.finding.startswith("has 7 partitions, but 4 are needed")


@pytest.mark.kafka
def test_offsets_are_set_as_they_are_said_and_taken_away_by_topic(
    kafka: str, fresh_topic: Callable[[str], str]
) -> None:
    facts, views, group = fresh_topic("facts"), fresh_topic("views"), fresh_topic("group")
    create_topics(kafka, [topic(facts), topic(views)], partitions=2)
    set_offsets(kafka, group, {(facts, 0): 5, (facts, 1): 0, (views, 1): 9})
    assert committed_offsets(kafka, [group])[group] == {(facts, 0): 5, (facts, 1): 0, (views, 1): 9}
    forget_offsets(kafka, group, [views])
    assert committed_offsets(kafka, [group])[group] == {(facts, 0): 5, (facts, 1): 0}
    set_offsets(kafka, group, {(facts, 1): 3})
    assert committed_offsets(kafka, [group])[group] == {(facts, 1): 3}
    forget_offsets(kafka, group, ["never-there"])
    set_offsets(kafka, group, {})
    assert committed_offsets(kafka, [group])[group] == {}


@pytest.mark.kafka
def test_a_group_with_consumers_is_seen_and_its_offsets_are_not_touched(
    kafka: str, fresh_topic: Callable[[str], str]
) -> None:
    name, group = fresh_topic("busy"), fresh_topic("group")
    create_topics(kafka, [topic(name)])
    assert members_of(kafka, group) == 0

    async def joined() -> int:
        consumer = AIOKafkaConsumer(name, bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
        await consumer.start()
        try:
            found = await asyncio.to_thread(members_of, kafka, group)
            with pytest.raises(Unreachable, match="did not take the offset"):
                await asyncio.to_thread(set_offsets, kafka, group, {(name, 0): 1})
        finally:
            await consumer.stop()
        return found

    assert asyncio.run(joined()) == 1


def test_a_sender_asks_the_broker_how_many_partitions_a_topic_has(
    broker: str, fresh_topic: Callable[[str], str]
) -> None:
    name = fresh_topic("wide")
    create_topics(broker, [topic(name)], partitions=6)

    async def sent() -> set[int]:
        sender = Sender(broker, "test")
        try:
            places = await sender.send([(name, Record(str(key).encode(), b"x")) for key in range(100)])
        finally:
            await sender.stop()
        return {number for _, number in places}

    assert asyncio.run(sent()) == set(range(6))
