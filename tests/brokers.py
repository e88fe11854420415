"""The brokers that tests run against: Tansu as the embedded stack starts it, and Apache Kafka as benchmarks do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.bench.apache_kafka import Kafka, NoKafka, await_groups, jars, running_kafka
from deploy.broker import Broker

__all__ = ["Kafka", "NoKafka", "await_groups", "jars", "running_kafka", "running_tansu"]


@contextmanager
def running_tansu(folder: Path) -> Iterator[Broker]:
    """A Tansu of one's own, for tests that stop it or need it empty."""
    broker = Broker.start(folder / "tansu.log")
    try:
        yield broker
    finally:
        broker.stop()
