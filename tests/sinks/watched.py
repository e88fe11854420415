"""Stories of a little while ago, written into a store that shows epoch 1: what tests of the watching views share."""

import time
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.derived import LeadStats, LeadWindow, MilestoneState, ShipmentStatus, StockPosition
from schemas.times import HOUR_MS, from_ms, rfc3339
from sinks import epochs
from sinks.migrate import migrate
from sinks.rows import Record
from tests.sinks.records import event, rows, state

LANE: Final = "NLRTM>DEBER"
ITEM: Final = "acme:1"
_TABLES: Final = """
SELECT name FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name NOT IN ('migrations', 'store')
"""
REFRESHED: Final = ("lead_time_shifts", "place_dwell")
_emptied: Final[list[int]] = []


def quiet_store(client: Client) -> Client:
    """A migrated store that works nothing out by the clock, only when it is told to."""
    client.command("CREATE DATABASE watched")
    client.database = "watched"
    migrate(client)
    stop_refreshing(client)
    return client


def stop_refreshing(client: Client) -> None:
    """Have a store work out again by the clock nothing of what it does every minute or ten."""
    for (view,) in client.query(
        "SELECT view FROM system.view_refreshes WHERE database = currentDatabase()"
    ).result_rows:
        client.command(f"ALTER TABLE {view} MODIFY REFRESH EVERY 9 YEAR")
        client.command(f"SYSTEM WAIT VIEW {view}")


def forget_all(store: Client) -> None:
    """Empty a migrated store, so that the next test need not migrate another one, and have it show epoch 1."""
    for (name,) in store.query(_TABLES).result_rows:
        store.command(f"TRUNCATE TABLE `{name}`")
    epochs.end(store, epochs.begin(store))
    _emptied[:] = [time.time_ns() // 1_000_000]


def let_half_an_hour_pass(store: Client) -> None:
    """Have the states that are in the store have come half an hour ago: before what is refreshed now."""
    for name in ("lead_times_lately", "delivered_lines_lately"):
        recent = "at > now64(3, 'UTC') - INTERVAL 20 MINUTE"
        store.command(
            f"INSERT INTO {name} SELECT * REPLACE (at - INTERVAL 30 MINUTE AS at) "  # noqa: S608  # our own names
            f"FROM (SELECT * FROM {name} WHERE {recent})"
        )
        store.command(f"ALTER TABLE {name} DELETE WHERE {recent} SETTINGS mutations_sync = 2")


def now() -> int:
    """When the present test began (ms): when the store was last emptied; its own clock is a moment ahead of that."""
    return _emptied[-1]


def ago(hours: float) -> int:
    """The time (ms) so many hours before the present test began."""
    return now() - round(hours * HOUR_MS)


def said(topic: str, hours: float, body: dict[str, Any], *, arrived: float | None = None, **place: Any) -> Record:
    """An event of so many hours ago, that arrived then or `arrived` hours ago."""
    when = {"occurred_at": rfc3339(ago(hours)), "recorded_at": rfc3339(ago(hours if arrived is None else arrived))}
    appended = ago(hours if arrived is None else arrived)
    return event(topic, when | body, **({"appended_at": appended} | place))


def moved(event_id: str, kind: str, hours: float, quantity: float, **more: Any) -> Record:
    """A warehouse event of so many hours ago."""
    body = {"event_id": event_id, "type": kind, "site": "BER", "item": ITEM, "unit": "pack", "quantity": str(quantity)}
    place = {name: more.pop(name) for name in ("arrived", "offset", "appended_at") if name in more}
    return said("warehouse.events", hours, body | more, **place)


def described(kind: str, hours: float = 1000, **body: Any) -> Record:
    """A reference event."""
    name = "|".join(str(value) for value in body.values())
    about = {"event_id": f"{kind}/{name}", "source": "company", "type": kind}
    return said("reference.events", hours, about | body)


def shipment(shipment_id: str, due_in: float | None = 10, **more: Any) -> Record:
    """The state of an open shipment that is due in so many hours."""
    due = None if due_in is None else now() + round(due_in * HOUR_MS)
    base: dict[str, Any] = {"promised_at": due, "due_at": due, "lane": LANE, "carrier": "MAEU", "final": False}
    named = base | more
    return state("shipment.status", ShipmentStatus(shipment_id, named.pop("status", "departed"), 1, **named))


def transit(n: int, p90_ms: int, lane: str = LANE) -> Record:
    """What the lane's transits took in its 90 days."""
    window = LeadWindow(n, 0, n * p90_ms, str(n * p90_ms * p90_ms), p90_ms // 2, p90_ms, p90_ms)
    return state("lead.stats", LeadStats("transit", lane, now() // (24 * HOUR_MS), window, window))


def position(available: int, **more: Any) -> Record:
    """The state of a stock position, in thousandths."""
    base: dict[str, Any] = {"on_hand": available, "available": available, "movements": 1, "site": "BER", "item": ITEM}
    return state("stock.positions", StockPosition(**(base | {"unit": "pack"} | more)))


def reached(*milestones: tuple[str, float, str], leg: int = 1) -> tuple[MilestoneState, ...]:
    """Milestones as they were reached: name, hours ago, place."""
    return tuple(MilestoneState(leg, name, actual_at=ago(hours), location=where) for name, hours, where in milestones)


def refresh(store: Client) -> None:
    """Have the store work out now what it works out every ten minutes."""
    for view in REFRESHED:
        _refresh(store, view)


def _refresh(store: Client, view: str) -> None:
    store.command(f"SYSTEM REFRESH VIEW {view}")
    store.command(f"SYSTEM WAIT VIEW {view}")


def exceptions(store: Client, kind: str) -> dict[str, dict[str, Any]]:
    """The open exceptions of a kind, by entity."""
    _refresh(store, "exceptions_watched")
    found = [row for row in rows(store, "SELECT * FROM exceptions_open") if row["kind"] == kind]
    for one in found:
        assert one["exception_id"] == f"{one['kind']}/{one['entity_kind']}/{one['entity']}"
        assert one["detail"].endswith(".")
    return {one["entity"]: one for one in found}


def at(milliseconds: int) -> Any:
    """The time as clickhouse-connect tells it: UTC, without a zone."""
    return from_ms(milliseconds).replace(tzinfo=None)
