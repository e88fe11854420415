"""Fixtures for all tests: the two brokers, one of each per run, and topic names nobody else uses."""

import asyncio
import inspect
import itertools
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.brokers import NoKafka, await_groups, running_kafka, running_tansu

_BROKERS = ("tansu", "kafka")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses a broker by name, so that `-m "not kafka"` leaves out all of it."""
    for item in items:
        for name in _BROKERS:
            if name in getattr(item, "fixturenames", ()):
                item.add_marker(name)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in wanted}))
    return True


@pytest.fixture(scope="session")
def tansu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address (host:port) of an embedded broker that all tests of the run share."""
    with running_tansu(tmp_path_factory.mktemp("tansu")) as broker:
        yield broker.address


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The address (host:port) of an Apache Kafka that all tests of the run share."""
    try:
        with running_kafka() as broker:
            await_groups(broker.address)
            yield broker.address
    except NoKafka as reason:
        pytest.skip(f"NOT TESTED AGAINST APACHE KAFKA: {reason}")


@pytest.fixture(params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in _BROKERS])
def broker(request: pytest.FixtureRequest) -> str:
    """The address of a broker; a test that asks for it runs against Tansu and against Apache Kafka."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def fresh_topic() -> Callable[[str], str]:
    """Makes topic names, also fit for groups and transactional ids, that nothing else in the brokers has."""
    run = uuid.uuid4().hex[:8]
    numbers = itertools.count()
    return lambda stem: f"{stem}.{run}.{next(numbers)}"
