"""A store with a long history, made by the engine itself: events of the demo network's kinds over 18 months.

Of all events 53 % tell of shipments, 14 % of orders and 33 % of stock, as in the demo network; the ids of shipments
and orders are scattered over their range, as those of many parties are, which is the hardest case for a store that
sorts by them. One statement in a hundred is a correction, a repeat or a retraction.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from clickhouse_connect.driver.client import Client

from schemas.times import DAY_MS
from sinks import epochs
from sinks.migrate import statements
from sinks.tables import FACTS

_FOLDER: Final = files("deploy").joinpath("bench/history_sql")
_SPAN_MS: Final = 548 * DAY_MS
_CHUNK: Final = 1_500_000
"""Events that are made by one statement."""

_SHIPMENT_EVENTS: Final = 13.2  # of one shipment, on average
_ORDER_EVENTS: Final = 3.02
_PARTS: Final = 4
"""How many parts a partition has more when it is not merged."""
_SAMPLE: Final = 400
"""One row of so many is in such a part."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many of each a store of so many events has."""

    events: int
    shipments: int
    orders: int
    movements: int
    positions: int
    now_ms: int

    @classmethod
    def of(cls, events: int, now_ms: int) -> "Sizes":
        """The sizes of a store of about `events` events, the newest of which came at `now_ms`."""
        shipments = round(events * 0.535 / _SHIPMENT_EVENTS)
        orders = round(events * 0.142 / _ORDER_EVENTS)
        return cls(events, shipments, orders, round(events * 0.323), max(100, events // 2_500), now_ms)

    @property
    def begin_ms(self) -> int:
        """When the first event came."""
        return self.now_ms - _SPAN_MS

    def step(self, count: int) -> float:
        """How far apart so many things begin, in ms."""
        return _SPAN_MS / count


def scattered(prefix: str, number: int) -> str:
    """The id of the shipment or order with this number, as the statements make it."""
    return f"{prefix}-{100_000_000 + number * 7_919 % 100_000_007}"


def fill(client: Client, sizes: Sizes, tell: Callable[[str], None]) -> None:
    """Write the history and its states into a migrated, empty store."""
    epochs.end(client, epochs.begin(client))
    for name, count, each in (
        ("supplier_events", sizes.orders, _ORDER_EVENTS),
        ("shipment_events", sizes.shipments, _SHIPMENT_EVENTS),
        ("warehouse_events", sizes.movements, 1),
    ):
        for first, last in _chunks(count, int(_CHUNK / each)):
            tell(f"{name}: {first:,} of {count:,}")
            _run(client, name, sizes, count, first=first, last=last)
    for name, count in (("shipment_status", sizes.shipments), ("order_status", sizes.orders)):
        for first, last in _chunks(count, 200_000):
            tell(f"{name}: {first:,} of {count:,}")
            _run(client, name, sizes, count, first=first, last=last)
    _run(client, "small", sizes, 1)


def merge(client: Client, tell: Callable[[str], None]) -> None:
    """Refresh what is refreshed from time to time, and merge every partition of every table into one part.

    What is kept of the states of the last two days is emptied: a history of 18 months did not come in these.
    """
    for view in ("statement_counts", "delivered_lines", "lead_times_by_day", "warehouse_lately", "hours_counted"):
        tell(f"refreshing {view}")
        client.command(f"SYSTEM REFRESH VIEW {view}")
        client.command(f"SYSTEM WAIT VIEW {view}")
    for table in ("lead_times_lately", "delivered_lines_lately"):
        client.command(f"TRUNCATE TABLE {table}")
    found = client.query(
        "SELECT table FROM system.parts WHERE active AND database = currentDatabase() "
        "GROUP BY table ORDER BY sum(bytes_on_disk)"
    ).result_rows
    for (table,) in found:
        tell(f"merging {table}")
        if not table.startswith(".inner"):
            client.command(f"OPTIMIZE TABLE `{table}` FINAL")


def unmerge(client: Client, sizes: Sizes, tell: Callable[[str], None]) -> None:
    """Give every partition a few small parts more, with rows it has (repeats, newer versions), and merge no more."""
    client.command("SYSTEM STOP MERGES")
    for turn in range(_PARTS):
        tell(f"part {turn + 1} of {_PARTS} more for every partition")
        for table in FACTS.values():
            client.command(
                f"INSERT INTO {table.name} SELECT * FROM {table.name} "  # noqa: S608  # our own names
                f"WHERE cityHash64(event_id) % {_SAMPLE} = {turn} SETTINGS max_partitions_per_insert_block = 0"
            )
        version = (turn + 1) * 1_000_000_000
        for name, count in (("shipment_status", sizes.shipments), ("order_status", sizes.orders), ("small", 1)):
            _run(client, name, sizes, count, last=count, version=version, every=_SAMPLE - turn)


def tables_of(client: Client) -> dict[str, dict[str, int]]:
    """Rows, bytes on disk and active parts of each table."""
    found = client.query(
        "SELECT table, sum(rows), sum(bytes_on_disk), count() FROM system.parts "
        "WHERE active AND database = currentDatabase() GROUP BY table ORDER BY table"
    ).result_rows
    return {table: {"rows": rows, "bytes": size, "parts": parts} for table, rows, size, parts in found}


def _chunks(count: int, size: int) -> Iterator[tuple[int, int]]:
    for first in range(0, count, size):
        yield first, min(count, first + size)


def _run(
    client: Client,
    name: str,
    sizes: Sizes,
    count: int,
    *,
    first: int = 0,
    last: int = 0,
    version: int = 0,
    every: int = 1,
) -> None:
    parameters = {
        "begin": sizes.begin_ms,
        "now": sizes.now_ms,
        "step": sizes.step(count),
        "first": first,
        "last": last,
        "version": version,
        "every": every,
        "positions": sizes.positions,
        "shipments": sizes.shipments / sizes.orders if name == "order_status" else sizes.shipments,
        "orders": sizes.orders / sizes.shipments,
        "dead": max(100, sizes.events // 1_000),
    }
    for statement in statements(_FOLDER.joinpath(f"store_{name}.sql").read_text(encoding="utf-8")):
        client.command(statement, parameters=parameters)
