"""Stacks that several tests share: each test brings events of its own, so they do not disturb each other."""

from collections.abc import Iterator

import pytest

from tests.brokers import NoKafka, await_groups, running_kafka
from tests.e2e.stack import Stack, running_stack


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running embedded stack without a demo, for tests that leave it as it is but for events of their own."""
    with running_stack(tmp_path_factory.mktemp("plain") / "data") as stack:
        yield stack


@pytest.fixture(scope="module")
def own_kafka() -> Iterator[str]:
    """The address of an Apache Kafka that has none of our topics yet: their names are fixed."""
    try:
        with running_kafka() as broker:
            await_groups(broker.address)
            yield broker.address
    except NoKafka as reason:
        pytest.skip(f"NOT TESTED AGAINST APACHE KAFKA: {reason}")
