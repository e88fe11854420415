"""A store that holds what a network of the real agents read and published, and the audit of it."""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.topics import of_kind
from sinks import epochs
from sinks.audit.questions import KINDS, Ask, Kind
from sinks.audit.states import States, compare
from sinks.rows import Record
from sinks.tables import TABLES
from tests.sinks.records import write
from tests.streams.network import EPOCH, Network
from tests.streams.told import Told

STORED: Final = frozenset(topic.name for topic in of_kind("fact", "view", "account"))

_NAMES: Final = frozenset({"order_id", "shipment_id", "site", "origin", "destination", "location", "supplier"})


def asking(store: Client) -> Ask:
    """Asks a store directly."""

    def ask(sql: str, parameters: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        return [tuple(row) for row in store.query(sql, parameters=dict(parameters)).result_rows]

    return ask


def played(told: Iterable[Told], **network: Any) -> Network:
    """The agents after these records, and after all the time that has passed up to now."""
    world = Network(**network)
    world.feed(told)
    world.run()
    world.tick(time.time_ns() // 1_000_000)
    return world


def keep(store: Client, network: Network, leave_out: Callable[[Record], bool] = lambda _: False) -> None:
    """Write what stands in the network's topics into an emptied store, as the history sink would."""
    for table in (*TABLES, "shipments_under_way"):
        store.command(f"TRUNCATE TABLE {table}")
    epochs.end(store, epochs.begin(store, EPOCH))
    records = [
        Record(EPOCH, one.topic, one.partition, one.offset, one.timestamp, one.key, one.value, one.headers)
        for place in sorted(network.topics)
        if place.topic in STORED
        for one in network.topics[place]
    ]
    write(store, *[one for one in records if not leave_out(one)])


def audited(store: Client, kinds: Sequence[Kind] = KINDS, settle: Callable[[], object] = lambda: None) -> States:
    """What comparing finds."""
    return compare(asking(store), settle, kinds, pause=lambda _: None)


def renamed(told: Told, number: int) -> Told:
    """The same record about orders, shipments, sites and suppliers of other names."""
    try:
        document = json.loads(told.raw)
    except ValueError:
        return told
    return Told(told.topic, json.dumps(_with_names(document, f"~{number}"), ensure_ascii=False).encode())


def _with_names(part: Any, suffix: str) -> Any:
    if isinstance(part, dict):
        return {
            name: value + suffix if name in _NAMES and isinstance(value, str) else _with_names(value, suffix)
            for name, value in part.items()
        }
    return [_with_names(one, suffix) for one in part] if isinstance(part, list) else part
