"""Administration of Kafka by kafka-python: topics made and checked, offsets read."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import NewTopic, OffsetSpec
from kafka.errors import KafkaError, TopicAlreadyExistsError
from kafka.structs import OffsetAndMetadata, TopicPartition

from schemas.errors import Unreachable
from schemas.topics import BY_NAME, DEFAULT_PARTITIONS, TOPICS, Topic
from streams.connection import for_kafka_python, prove, refusal

_REQUEST_MS: Final = 10_000
_BOOTSTRAP_MS: Final = 5_000
_DELETED_S: Final = 30.0
_PAUSE_S: Final = 0.1


class TopicFinding(NamedTuple):
    """What is wrong with a topic, in one sentence that says what to do."""

    topic: str
    finding: str


@contextmanager
def administration(bootstrap: str) -> Iterator[Any]:
    """An admin client, closed at the end. Raises Unreachable where no broker answers."""
    prove(bootstrap)
    try:
        client = KafkaAdminClient(
            bootstrap_servers=bootstrap.split(","),
            request_timeout_ms=_REQUEST_MS,
            bootstrap_timeout_ms=_BOOTSTRAP_MS,
            client_id="quayside-admin",
            **for_kafka_python(),
        )
    except (KafkaError, OSError, ValueError) as error:
        raise Unreachable(
            refusal(bootstrap)
            or f"No Kafka broker answers at {bootstrap} ({type(error).__name__}): start it, or set QUAYSIDE_KAFKA."
        ) from None
    try:
        yield client
    except KafkaError as error:
        raise Unreachable(f"The broker at {bootstrap} refused or did not answer: {error}.") from None
    finally:
        client.close()


def create_topics(
    bootstrap: str, topics: Iterable[Topic] = TOPICS, replication: int = 1, partitions: int | None = None
) -> list[str]:
    """Create the topics that are missing, with so many partitions (None: as many as the others have); their names."""
    made: list[str] = []
    with administration(bootstrap) as client:
        counts = _partition_counts(client)
        missing = [topic for topic in topics if topic.name not in counts]
        for topic in missing:
            new = NewTopic(
                topic.name, partitions or usual_partitions(counts), replication, topic_configs=topic.config()
            )
            try:
                client.create_topics([new])
            except TopicAlreadyExistsError:
                continue
            made.append(topic.name)
    return made


def check_topics(bootstrap: str, topics: Iterable[Topic] = TOPICS) -> list[TopicFinding]:
    """What is wrong with the topics: missing ones, and those that have another number of partitions than most.

    All have as many; which number that is, whoever made the topics decided.
    """
    wanted = list(topics)
    counts = partition_counts(bootstrap)
    needed = usual_partitions(counts)
    findings: list[TopicFinding] = []
    for topic in wanted:
        count = counts.get(topic.name)
        if count is None:
            findings.append(TopicFinding(topic.name, "is missing: run `quayside topics create`."))
        elif count != needed:
            findings.append(
                TopicFinding(
                    topic.name,
                    f"has {count} partitions, but {needed} are needed: all inputs of an agent have as many; delete and "
                    "create it, then rebuild.",
                )
            )
    return findings


def usual_partitions(counts: Mapping[str, int]) -> int:
    """How many partitions most of our topics have; the registry's number where there are none."""
    found = Counter(count for topic, count in counts.items() if topic in BY_NAME)
    return max(found, key=lambda count: (found[count], count), default=DEFAULT_PARTITIONS)


def partition_counts(bootstrap: str) -> dict[str, int]:
    """How many partitions each topic of the broker has."""
    with administration(bootstrap) as client:
        return _partition_counts(client)


def members_of(bootstrap: str, group: str) -> int:
    """How many consumers a group has now."""
    with administration(bootstrap) as client:
        described = client.describe_groups([group])
        return sum(len(told["members"]) for told in described.values())


def grow_topics(bootstrap: str, topics: Iterable[str], partitions: int) -> None:
    """Give these topics so many partitions, those that have fewer; Kafka cannot take any away."""
    with administration(bootstrap) as client:
        counts = _partition_counts(client)
        fewer = {topic: partitions for topic in topics if counts.get(topic, partitions) < partitions}
        if fewer:
            client.create_partitions(fewer)


def delete_topics(bootstrap: str, topics: Iterable[str]) -> None:
    """Delete these topics, and wait until they are gone."""
    wanted = set(topics)
    with administration(bootstrap) as client:
        there = wanted & set(client.list_topics())
        if there:
            client.delete_topics(sorted(there))
        deadline = time.monotonic() + _DELETED_S
        while wanted & set(client.list_topics()):
            if time.monotonic() > deadline:
                raise Unreachable(
                    f"The broker at {bootstrap} did not delete topics within {_DELETED_S:g} s: try again."
                )
            time.sleep(_PAUSE_S)


def set_offsets(bootstrap: str, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
    """Give a group without members exactly these offsets, and none for other partitions."""
    with administration(bootstrap) as client:
        client.delete_groups([group])  # one that is not there is no harm
        if not offsets:
            return
        wanted = {TopicPartition(*place): OffsetAndMetadata(offset, "", -1) for place, offset in offsets.items()}
        for place, error in client.alter_group_offsets(group, wanted).items():
            if error.errno:
                raise Unreachable(f"The broker at {bootstrap} did not take the offset of {place} ({error.__name__}).")


def forget_offsets(bootstrap: str, group: str, topics: Iterable[str]) -> None:
    """Take a group's offsets of these topics away."""
    names = set(topics)
    with administration(bootstrap) as client:
        gone = [TopicPartition(*place) for place in _committed(client, group) if place[0] in names]
        if gone:
            client.delete_group_offsets(group, gone)


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
