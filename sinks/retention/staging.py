"""What a run of retention is to drop, noted beside the tables, and the openings that stay for it, made there too.

Nothing that anybody reads is changed here.
"""

import hashlib
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.errors import QuaysideError
from schemas.times import DAY_MS, from_ms
from schemas.wire import Rejection, read
from sinks.facts import FactColumns
from sinks.retention.ledger import Run
from sinks.retention.openings import opening_raw, openings
from sinks.retention.statements import DROPPED_FROM, DURABLE, do, drop, number, rows, text
from sinks.tables import DEAD, FACTS, REPLAYED
from streams.stock.facts import Movement

TOPIC: Final = "warehouse.events"
"""Whose events become openings."""

_CHUNK: Final = 20_000
_PART_ROWS: Final = 50_000


def stage(client: Client, run: Run, slices: int, index: int) -> Run:
    """Note what goes and make the openings, both beside the tables; compare them.

    `index`: of as many slices of the history, which this run decides about.

    Raises QuaysideError where openings do not add up to what they stand for.
    """
    clear(client, run)
    client.command(f"CREATE TABLE retention_openings AS {FACTS[TOPIC].name}")
    about: dict[str, Any] = {
        "run": run.run,
        "cutoff": run.cutoff,
        "behind": _behind(run.cutoff),
        "slices": slices,
        "slice": index,
        "appended": run.cutoff - 1,
        "first": number(client, "next_retraction", {}),
    }
    do(client, text("fold"), about)
    run = _open(client, run)
    ((differing, one),) = rows(client, text("differing"), about)
    if differing:
        raise QuaysideError(
            f"The openings of {differing} positions (one is {one}) do not add up to their events: nothing was dropped. "
            "Please report it with the events of that position."
        )
    for name in ("retractions", "drop_movements"):
        do(client, text(name), about)
    for sql in _selections():
        do(client, "INSERT INTO retention_dropping " + sql, about)
    dropped = {str(table): int(count) for table, count in rows(client, text("dropping_counts"), about)}
    if not index:
        (others,) = rows(client, text("others"), about)
        dropped |= {DEAD.name: int(others[0]), REPLAYED.name: int(others[1])}
    return run.changed(dropped={table: count for table, count in dropped.items() if count})


def preview(client: Client, cutoff: int) -> dict[str, int]:
    """How many rows of each table would go, at most, and of how many positions; changes nothing."""
    about = {"cutoff": cutoff, "behind": _behind(cutoff), "slices": 1, "slice": 0, "run": 0}
    found: dict[str, int] = {}
    for sql in _selections():
        for table, count in rows(client, f"SELECT of_table, count() FROM ({sql}) GROUP BY of_table", about):  # noqa: S608  # our own files
            found[str(table)] = found.get(str(table), 0) + int(count)
    folded, places = rows(
        client,
        f"SELECT sum(statements), uniqExact(site, item) FROM ({text('foldable')})",  # noqa: S608  # our own files
        about,
    )[0]
    found["warehouse_events"] = found.get("warehouse_events", 0) + int(folded)
    (others,) = rows(client, text("others"), about)
    found |= {DEAD.name: int(others[0]), REPLAYED.name: int(others[1]), "positions": int(places)}
    return found


def clear(client: Client, run: Run) -> None:
    """Forget what stands beside the tables."""
    client.command("DROP TABLE IF EXISTS retention_openings SYNC")
    for table in ("retention_movements", "retention_dropping"):
        drop(client, table, f"run <= {run.run}")


def _open(client: Client, run: Run) -> Run:
    """Make the openings of all positions that become smaller by it."""
    columns = FactColumns(TOPIC, lambda _: ())
    offset = number(client, "next_offset", {})
    positions = made = left = 0
    for site, item, events, moves in _positions(client, run):
        found = openings(moves)
        if found is None or len(found) >= events:
            left += found is None
            continue
        positions += bool(found)
        entity = hashlib.sha256(f"{site}|{item}".encode()).hexdigest()[:16]
        day = from_ms(_behind(run.cutoff) - 1).date().isoformat()
        for order, move in enumerate(found):
            name = f"opening/{day}/{run.run}/{entity}"
            raw = opening_raw(move, order, name=name, site=site, item=item, day=day, recorded_at=run.cutoff - 1)
            event = read(TOPIC, raw, run.cutoff - 1)
            if isinstance(event, Rejection):
                raise QuaysideError(
                    f"An opening of {site}|{item} cannot be said ({event.reason}): nothing was dropped."
                )
            columns.add(((0, 0, offset, run.cutoff - 1, f"{site}|{item}".encode(), raw),), (event,))
            offset += 1
            made += 1
        if len(columns) >= _CHUNK:
            columns = _insert(client, columns)
    _insert(client, columns)
    return run.changed(positions=positions, openings=made, left_alone=left)


def _positions(client: Client, run: Run) -> Iterator[tuple[str, str, int, list[Movement]]]:
    """Each position: site, item, how many events may go, and its movements in order."""
    count = int(client.query(f"SELECT count() FROM retention_movements WHERE run = {run.run}").result_rows[0][0])  # noqa: S608  # our own names
    parts = count // _PART_ROWS + 1
    for part in range(parts):
        found = rows(client, text("movements"), {"run": run.run, "parts": parts, "part": part})
        for (site, item), events in groupby(found, key=lambda row: (row[0], row[1])):
            listed = list(events)
            moves = [
                Movement(kind, occurred, quantity, unit, shipment or None, lot or None)
                for _, _, _, _, occurred, kind, quantity, unit, shipment, lot, counts in listed
                if counts
            ]
            yield site, item, len(listed), moves


def _insert(client: Client, columns: FactColumns) -> FactColumns:
    turned = columns.turned()
    if columns.spoiled:
        raise QuaysideError(f"An opening cannot be stored ({columns.spoiled[0][1]}): nothing was dropped.")
    if len(columns):
        table = FACTS[TOPIC]
        client.insert(
            "retention_openings",
            turned,
            column_names=table.names,
            column_type_names=table.types,
            column_oriented=True,
            settings=DURABLE,
        )
    return FactColumns(TOPIC, lambda _: ())


def _behind(cutoff: int) -> int:
    """The end (ms) of the last day whose movements may become openings: one that had ended at the cutoff."""
    return cutoff // DAY_MS * DAY_MS


def _selections() -> tuple[str, ...]:
    """What goes but for the movements behind openings: (run, table, phase, topic, epoch, partition, offset)."""
    again = (text(name, topic) for topic in DROPPED_FROM for name in ("drop_late", "drop_forgotten"))
    return (*again, text("thin_shipments"), text("thin_orders"))
