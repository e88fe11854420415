"""Dead letters in a store, for the tests of what reads them and sends them again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from deploy.door import Door, Line
from schemas.coordinates import Again, Coordinate
from schemas.times import DAY_MS
from sinks.migrate import migrate
from sinks.rows import Record
from sinks.tables import TABLES
from tests.sinks.records import NOON, milestone, record, write

NOW: Final = NOON + DAY_MS
LONG_AGO: Final = {"occurred_at": "2020-01-01T00:00:00Z", "recorded_at": "2020-01-01T00:00:00Z"}


def good(**said: str) -> bytes:
    """A departure that every clock has behind it."""
    return milestone(LONG_AGO | said).value or b""


GOOD: Final = good()
MakeStore = Callable[[], Client]


@contextmanager
def stores(path: str) -> Iterator[MakeStore]:
    """Makes clients of one embedded engine, each on a new, migrated database."""
    clients: list[Client] = []

    def make() -> Client:
        client = clickhouse_connect.get_client(interface="chdb", path=path)
        clients.append(client)
        name = f"dlq_{len(clients)}"
        client.command(f"CREATE DATABASE {name}")
        client.database = name
        migrate(client)
        return client

    try:
        yield make
    finally:
        for client in clients:
            client.close()


def emptied(store: Client) -> Client:
    """The store with nothing in it: quicker than to make another."""
    for table in TABLES:
        store.command(f"TRUNCATE TABLE {table}")
    return store


def dead(offset: int, value: bytes | None, **said: Any) -> Record:
    """A record of shipment.events; broken if its value is."""
    return record("shipment.events", value, offset=offset, **said)


def line(raw: bytes, name: str, number: int = 1, arrived_at: int = NOON) -> Record:
    """The record by which `publish` tells that it refused a line of a file."""
    (refused,) = Door(None).decide([Line(number, raw)], arrived_at).refused
    told = refused.dead_letter(name, arrived_at)
    return record(told.topic, told.value)


def resent(place: Coordinate, at: int = NOON, **where: Any) -> Record:
    """A record that takes up a dead letter again."""
    return milestone({}, appended_at=at, **where)._replace(headers=(Again("dead", place).header(),))


BROKEN: Final = b'{"source":"acme","type":"milestone"}'
"""Acme's, with much missing."""


def fill(store: Client) -> Client:
    """Letters 1 to 4 of shipment.events, one an hour; a line of a file; letter 1 was sent again."""
    write(
        store,
        dead(1, b"{"),
        dead(2, BROKEN, appended_at=NOON + 3_600_000),
        dead(3, BROKEN.replace(b"acme", b'it\'s \\\\ \\"odd\\"'), appended_at=NOON + 7_200_000),
        dead(4, b"\xff\x00", appended_at=NOON + 10_800_000, key=b"\xfe"),
        line(b"{}", "in box/a.ndjson", 3),
        resent(Coordinate(1, "shipment.events", 0, 1), NOON + 5, partition=3),
    )
    return store
