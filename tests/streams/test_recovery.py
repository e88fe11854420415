"""Bringing a partition back from its changelog, on both brokers."""

from collections.abc import Callable, Iterable

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.times import DAY_MS
from schemas.topics import Topic
from schemas.versions import Version
from streams.administration import create_topics
from streams.agents import WORKER_GROUP
from streams.clock import Clock
from streams.facts import Fact, Target
from streams.leads.derive import LeadTimes
from streams.recovery import LostChangelog, recover
from streams.rows import Codec
from streams.sending import Record, Sender
from streams.table import Partition

CODEC = Codec(tuple[int, str])


def fact(version: int, amount: int) -> Fact:
    return Fact(Version(version, 0, b""), (amount, "pcs"))


@pytest.fixture
def topic_of(broker: str, fresh_topic: Callable[[str], str]) -> Callable[[str], str]:
    """Makes topics of one partition."""

    def make(stem: str) -> str:
        name = fresh_topic(stem)
        create_topics(broker, [Topic(name, "state", "", "", None, compacted=True, partitions=1)])
        return name

    return make


async def written(broker: str, topic: str, batches: list[list[Record]]) -> None:
    sender = Sender(broker, "test", {topic: 1})
    for batch in batches:
        await sender.send_to(topic, 0, batch)
    await sender.stop()


async def committed(broker: str, topic: str, offset: int) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, group_id=WORKER_GROUP, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    await consumer.commit({TopicPartition(topic, 0): offset})
    await consumer.stop()


async def brought_back(broker: str, topic: str, inputs: Iterable[str] = ()) -> Partition:
    partition = Partition(LeadTimes(), CODEC, Clock(DAY_MS))
    await recover(broker, topic, {0: partition}, inputs)
    return partition


async def test_the_last_batch_is_brought_back_too(broker: str, topic_of: Callable[[str], str]) -> None:
    topic = topic_of("facts")
    rows = [CODEC.header(7), *(CODEC.fact("e", f"i{n}", fact(1, n)) for n in range(700))]
    records = [Record(row.key, row.value) for row in rows]
    await written(broker, topic, [records[:200], records[200:]])
    partition = await brought_back(broker, topic)
    assert partition.epoch == 7
    assert len(partition.entities["e"].facts) == 700
    assert partition.entities["e"].offset == 700


async def test_rows_in_any_order_merge_to_the_newest(broker: str, topic_of: Callable[[str], str]) -> None:
    topic = topic_of("facts")
    rows = [
        CODEC.fact("e", "i", fact(2, 20)),
        CODEC.targets("e", [Target("t", "a")]),
        CODEC.fact("e", "i", fact(1, 10)),
        CODEC.targets("e", [Target("t", "b")]),
        CODEC.header(1),
    ]
    await written(broker, topic, [[Record(row.key, row.value) for row in rows]])
    entity = (await brought_back(broker, topic)).entities["e"]
    assert entity.facts["i"].payload == (20, "pcs")
    assert entity.targets == (Target("t", "a"), Target("t", "b"))


async def test_a_deleted_changelog_is_refused_and_not_started_anew(broker: str, topic_of: Callable[[str], str]) -> None:
    source, changelog = topic_of("source"), topic_of("facts")
    await written(broker, source, [[Record(b"k", b"v")] * 3])
    assert (await brought_back(broker, changelog, [source])).entities == {}
    await committed(broker, source, 3)
    with pytest.raises(LostChangelog, match=rf"^{changelog} partition 0 is empty, but 3 records of {source}"):
        await brought_back(broker, changelog, [source])


async def test_a_partition_is_caught_up_when_all_that_was_there_has_been_read(
    broker: str, topic_of: Callable[[str], str]
) -> None:
    source, other, changelog = topic_of("source"), topic_of("other"), topic_of("facts")
    await written(broker, source, [[Record(b"k", b"v")] * 3])
    partition = await brought_back(broker, changelog, [source, other])
    assert partition.goals == {source: 3}
    header = CODEC.header(1)
    await written(broker, changelog, [[Record(header.key, header.value)]])
    await committed(broker, source, 3)
    assert (await brought_back(broker, changelog, [source, other])).is_caught_up
