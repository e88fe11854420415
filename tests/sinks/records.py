"""Hand-made records, as they come from Kafka, and a short way to write them into a store."""

import itertools
import json
from typing import Any, Final

import msgspec
from clickhouse_connect.driver.client import Client

from schemas.derived import Published, encode
from schemas.times import rfc3339
from schemas.topics import BY_NAME
from sinks.migrate import store_id
from sinks.rows import Record, rows_of
from sinks.writer import Batch, Writer

NOON: Final = 1_795_348_800_000
"""2026-11-22T12:00:00Z, when all records of the tests arrive."""

_OFFSETS: Final = itertools.count()


def record(topic: str, value: bytes | None, **place: Any) -> Record:
    """A record of a topic, by default of epoch 1 and at an offset of its own."""
    base: dict[str, Any] = {"epoch": 1, "partition": 0, "offset": next(_OFFSETS), "appended_at": NOON, "key": b"k"}
    return Record(topic=topic, value=value, **(base | place))


def event(topic: str, said: dict[str, Any], **place: Any) -> Record:
    """A record with an event; what every event must have is filled in."""
    base = {"event_id": "e1", "source": "acme", "occurred_at": rfc3339(NOON), "recorded_at": rfc3339(NOON)}
    return record(topic, json.dumps(base | said, ensure_ascii=False).encode(), **place)


def milestone(said: dict[str, Any], **place: Any) -> Record:
    """A record of an actual departure of shipment S1, or what is said otherwise."""
    base = {"type": "milestone", "milestone": "departed", "classifier": "actual", "shipment_id": "S1"}
    return event("shipment.events", base | said, **place)


def state(topic: str, published: msgspec.Struct, version: int = 1, epoch: int = 1, *, gone: bool = False) -> Record:
    """A record of a view topic."""
    assert BY_NAME[topic].kind == "view"
    return record(topic, encode(Published((epoch, version), published, gone)))


def write(client: Client, *records: Record) -> None:
    """Write records into a store as one batch."""
    batch = Batch()
    home = store_id(client)
    for one in records:
        batch.add(rows_of(one, home))
    Writer(client).write(batch)


def rows(client: Client, sql: str) -> list[dict[str, Any]]:
    """What a query answers, one dict per row."""
    return list(client.query(sql).named_results())


def only(client: Client, sql: str) -> dict[str, Any]:
    """The one row that a query answers."""
    (row,) = rows(client, sql)
    return row


def column(client: Client, sql: str) -> list[Any]:
    """The first column of what a query answers."""
    return [first for first, *_ in client.query(sql).result_rows]
