"""Fixtures of the store: one embedded engine per test module (it opens one path at a time), fresh databases."""

import itertools
from collections.abc import Callable, Iterator

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from sinks.migrate import migrate

MakeClient = Callable[[], Client]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeClient]:
    """Makes clients of one embedded engine; all are closed at the module's end, so another may open."""
    path = str(tmp_path_factory.mktemp("engine"))
    clients: list[Client] = []

    def client() -> Client:
        made = clickhouse_connect.get_client(interface="chdb", path=path)
        clients.append(made)
        return made

    client()  # keeps the engine open
    yield client
    for made in clients:
        made.close()


_NUMBERS = itertools.count()


@pytest.fixture
def bare(engine: MakeClient) -> Client:
    """A client on a new, empty database."""
    client = engine()
    name = f"test_{next(_NUMBERS)}"
    client.command(f"CREATE DATABASE {name}")
    client.database = name
    return client


@pytest.fixture
def store(bare: Client) -> Client:
    """A client on a new, migrated database."""
    migrate(bare)
    return bare
