from typing import get_args

import pytest

from schemas import derived, topics, wire
from schemas.topics import BY_NAME, TOPICS, of_kind


def test_every_event_type_travels_on_a_registered_fact_topic() -> None:
    facts = {topic.name for topic in of_kind("fact")}
    assert {model.topic for model in wire.event_types().values()} == facts
    assert all(wire.topic_of(kind) == model.topic for kind, model in wire.event_types().items())
    assert wire.topic_of("teleported") is None


def test_every_other_payload_is_a_derived_record() -> None:
    for topic in of_kind("contribution", "view", "account"):
        assert hasattr(derived, topic.payload), topic


def test_topic_names_are_unique_and_all_can_be_found_by_name() -> None:
    assert len(BY_NAME) == len(TOPICS)
    assert all(BY_NAME[topic.name] is topic for topic in TOPICS)
    assert of_kind(*get_args(topics.Kind)) == TOPICS


def test_inputs_of_the_agents_have_the_same_number_of_partitions() -> None:
    assert len({topic.partitions for topic in of_kind("fact", "contribution")}) == 1


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_settings_are_those_of_kafka(topic: topics.Topic) -> None:
    config = topic.config()
    assert config["message.timestamp.type"] == "LogAppendTime"
    assert int(config["max.message.bytes"]) > wire.MAX_RECORD_BYTES
    if topic.compacted:
        assert topic.retention_ms is None
        assert config["cleanup.policy"] == "compact"
        assert int(config["min.compaction.lag.ms"]) >= 3_600_000
    else:
        assert config["cleanup.policy"] == "delete"
        assert int(config["retention.ms"]) > 0


def test_views_are_compacted_and_nothing_that_happened_is() -> None:
    assert all(topic.compacted for topic in of_kind("view", "state"))
    happened = [topic for topic in of_kind("fact", "account") if topic.name != "reference.events"]
    assert not any(topic.compacted for topic in happened)
