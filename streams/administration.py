"""Administration of Kafka by kafka-python: topics made and checked, offsets read."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import NewTopic, OffsetSpec
from kafka.errors import KafkaError, TopicAlreadyExistsError
from kafka.structs import TopicPartition

from schemas.errors import Unreachable
from schemas.topics import TOPICS, Topic

_REQUEST_MS: Final = 10_000
_BOOTSTRAP_MS: Final = 5_000
logging.getLogger("kafka").setLevel(logging.CRITICAL)  # its news reach people as our own sentences


class TopicFinding(NamedTuple):
    """What is wrong with a topic, in one sentence that says what to do."""

    topic: str
    finding: str


@contextmanager
def administration(bootstrap: str) -> Iterator[Any]:
    """An admin client, closed at the end. Raises Unreachable where no broker answers."""
    try:
        client = KafkaAdminClient(
            bootstrap_servers=bootstrap.split(","),
            request_timeout_ms=_REQUEST_MS,
            bootstrap_timeout_ms=_BOOTSTRAP_MS,
            client_id="quayside-admin",
        )
    except (KafkaError, OSError, ValueError) as error:
        raise Unreachable(
            f"No Kafka broker answers at {bootstrap} ({type(error).__name__}): start it, or set QUAYSIDE_KAFKA."
        ) from None
    try:
        yield client
    except KafkaError as error:
        raise Unreachable(f"The broker at {bootstrap} refused or did not answer: {error}.") from None
    finally:
        client.close()


def create_topics(bootstrap: str, topics: Iterable[Topic] = TOPICS, replication: int = 1) -> list[str]:
    """Create the topics that are missing; their names."""
    made: list[str] = []
    with administration(bootstrap) as client:
        there = set(client.list_topics())
        missing = [topic for topic in topics if topic.name not in there]
        for topic in missing:
            new = NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.config())
            try:
                client.create_topics([new])
            except TopicAlreadyExistsError:
                continue
            made.append(topic.name)
    return made


def check_topics(bootstrap: str, topics: Iterable[Topic] = TOPICS) -> list[TopicFinding]:
    """What is wrong with the topics: missing ones, and partition counts that differ from the registry."""
    wanted = list(topics)
    with administration(bootstrap) as client:
        counts = _partition_counts(client)
    findings: list[TopicFinding] = []
    for topic in wanted:
        count = counts.get(topic.name)
        if count is None:
            findings.append(TopicFinding(topic.name, "is missing: run `quayside topics create`."))
        elif count != topic.partitions:
            findings.append(
                TopicFinding(
                    topic.name,
                    f"has {count} partitions, but {topic.partitions} are needed: all inputs of an agent have as "
                    "many; delete and create it, then rebuild.",
                )
            )
    return findings


def committed_offsets(bootstrap: str, groups: Iterable[str]) -> dict[str, dict[tuple[str, int], int]]:
    """Per group, the committed offset of each (topic, partition)."""
    with administration(bootstrap) as client:
        return {group: _committed(client, group) for group in groups}


def beginnings(bootstrap: str, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """The first offset that each partition still holds."""
    asked = {TopicPartition(*place): OffsetSpec.EARLIEST for place in places}
    with administration(bootstrap) as client:
        answered: Mapping[Any, Any] = client.list_partition_offsets(asked) if asked else {}
    return {(place.topic, place.partition): told.offset for place, told in answered.items()}


def _committed(client: Any, group: str) -> dict[tuple[str, int], int]:
    try:
        listed: Mapping[Any, Any] = client.list_group_offsets({group: None}).get(group, {})
    except KafkaError:
        return {}
    return {(place.topic, place.partition): told.offset for place, told in listed.items() if told.offset >= 0}


def _partition_counts(client: Any) -> dict[str, int]:
    return {told["name"]: len(told["partitions"]) for told in client.describe_topics() if not told.get("error_code")}
