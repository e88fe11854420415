"""The audit's own reading of Kafka: what stands where, and with which bytes."""

import uuid

from kafka import KafkaProducer

from schemas.topics import Topic
from schemas.versions import content_hash
from sinks.audit.reading import Extent, hashes, present
from streams.administration import create_topics

VALUES = [f"record {number}".encode() for number in range(20)]


def filled(bootstrap: str) -> str:
    """A new topic of two partitions, all records in the second of them."""
    topic = f"audit.{uuid.uuid4().hex}"
    create_topics(bootstrap, [Topic(topic, "fact", "k", "none", 3_600_000, partitions=2)])
    producer = KafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=False)
    for value in VALUES:
        producer.send(topic, value, partition=1).get(timeout=10)
    producer.close()
    return topic


def test_it_tells_at_which_offsets_a_record_stands(broker: str) -> None:
    topic = filled(broker)
    found = present(broker, {(topic, 1): [0, 7, 19]})
    assert found == {(topic, 1): [0, 7, 19]}


def test_it_reads_every_record_below_the_end_it_is_told(broker: str) -> None:
    topic = filled(broker)
    read = {offset: told for part in hashes(broker, Extent(topic, 1, 3, 18)) for offset, told in part.items()}
    assert read == {offset: content_hash(VALUES[offset]).hex().upper() for offset in range(3, 18)}


def test_a_control_record_is_no_record_that_is_missing(kafka: str) -> None:
    topic = filled(kafka)
    producer = KafkaProducer(bootstrap_servers=kafka, transactional_id=topic)
    producer.init_transactions()
    for _ in range(2):
        producer.begin_transaction()
        producer.send(topic, b"in a transaction", partition=1)
        producer.commit_transaction()
    producer.close()
    behind = len(VALUES)
    assert present(kafka, {(topic, 1): [behind, behind + 1, behind + 2, behind + 3]}) == {
        (topic, 1): [behind, behind + 2]
    }
    read = [offset for part in hashes(kafka, Extent(topic, 1, behind, behind + 4)) for offset in part]
    assert read == [behind, behind + 2]
