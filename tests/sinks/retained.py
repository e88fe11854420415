"""A store with old events in it, and what the agents make of its history, for the tests of retention."""

import json
from collections.abc import Iterable
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.derived import LateRecord, encode
from schemas.event import Event
from schemas.times import DAY_MS, HOUR_MS, rfc3339, to_ms
from schemas.wire import read
from sinks import epochs
from sinks.migrate import migrate
from sinks.replay import replay
from sinks.retention.ledger import runs
from sinks.retention.runs import tidy
from sinks.rows import Record
from sinks.tables import TABLES
from tests.sinks.records import record, write
from tests.strategies import START
from tests.streams.network import Network, Views
from tests.streams.told import (
    ITEM,
    SITE,
    Told,
    condition,
    correction,
    line,
    milestone,
    movement,
    notice,
    of_order,
    placed,
    retraction,
)

BEGIN: Final = to_ms(START)
CUTOFF: Final = BEGIN + 60 * DAY_MS
NEW: Final = CUTOFF + 5 * DAY_MS
POSITION: Final = ("stock.positions", f"{SITE}|{ITEM}")
ROUTE: Final = {"origin": "NBO", "destination": SITE, "carrier": "Blue Line"}


class Killed(Exception):
    """The process ends here."""


def database(client: Client) -> Client:
    """The client on a migrated database: one for all tests, since to make one takes longer than to empty it."""
    client.command("CREATE DATABASE shared")
    client.database = "shared"
    migrate(client)
    return client


def put(store: Client, told: Iterable[tuple[str, bytes]], at: int, epoch: int = 1) -> list[Record]:
    """Store records that arrived at this moment; readable ones."""
    records = []
    for topic, said in told:
        event = read(topic, said, NEW + 400 * DAY_MS)
        assert isinstance(event, Event)
        records.append(record(topic, said, appended_at=at, epoch=epoch, key=event.entity_key().encode()))
    write(store, *records)
    return records


def rebuilt(store: Client) -> Views:
    """What the agents make of the history."""
    network = Network()
    for chunk in replay(store):
        for one in chunk:
            network.feed([(one.topic, one.raw)], headers=[one.header])
    network.run()
    return network.views()


def figures(store: Client) -> dict[tuple[str, str], Any]:
    """The views by key, without how many movements there were."""
    found = {name: json.loads(told) for name, told in rebuilt(store).states.items()}
    for (topic, _), told in found.items():
        if topic == "stock.positions":
            assert told.pop("movements", 0) >= 0
    return found


def tidied(store: Client) -> None:
    """The hour after a run has passed."""
    tidy(store, idle_ms=-1)
    assert number(store, "warehouse_events", "epoch = 0 AND partition = 1") == 0


def number(store: Client, table: str, where: str = "1") -> int:
    return int(store.query(f"SELECT uniqExact(epoch, partition, offset) FROM {table} WHERE {where}").result_rows[0][0])  # noqa: S608  # our own names


def stages(store: Client) -> list[str]:
    return [run.stage for run in runs(store)]


def emptied(store: Client) -> Client:
    for table in (*TABLES, "epochs", "retention_runs", "retention_dropped", "retention_forgotten"):
        store.command(f"TRUNCATE TABLE {table}")
    return store


def busy_position() -> list[Told]:
    """A position of two shipments, counted twice, with a correction, a retraction and goods moved and returned."""
    came = [
        movement("received", 1, 40, "S-1"),
        movement("received", 2, 10, "S-1"),
        movement("put_away", 30, 50, "S-1"),
        movement("received", 40, 30, "S-2"),
        movement("returned", 41, 2),
        movement("moved", 42, 5, direction="in"),
        movement("counted", 50, 88),
    ]
    went = [movement(kind, 60 + hour, 2) for hour, kind in enumerate(["picked", "packed", "shipped"] * 8)]
    wrong = movement("shipped", 90, 100)
    gone = movement("scrapped", 91, 7)
    return [
        *came,
        *went,
        wrong,
        correction(wrong, 95, quantity="3"),
        gone,
        retraction(gone, 96),
        movement("counted", 99, 60),
    ]


def journey() -> list[Told]:
    """An order and its shipment, from its placing to its end, with all that a carrier tells on the way."""
    goods = [line("1", 80, order_id="PO-1")]
    promised = milestone("S-1", "departed", 10, lines=goods, promised_at=rfc3339(BEGIN + 40 * HOUR_MS), **ROUTE)
    first = placed("PO-1", 0, [line("1", 70, promised_at=rfc3339(BEGIN + 45 * HOUR_MS))])
    mistake = milestone("S-1", "customs_hold", 20)
    return [
        first,
        correction(first, 1, lines=[line("1", 80, promised_at=rfc3339(BEGIN + 45 * HOUR_MS))]),
        notice("PO-1", "S-1", 5, [line("1", 80)]),
        retraction(of_order("order_cancelled", "PO-1", 6), 7),
        milestone("S-1", "arrived", 30, "planned"),
        milestone("S-1", "arrived", 35, "estimated"),
        correction(promised, 9, carrier="RoadCo"),
        promised,
        *(position("S-1", hour) for hour in range(11, 40)),
        *(condition("S-1", hour, temperature="9", temperature_max="8") for hour in range(11, 13)),
        *(condition("S-1", hour, temperature="5", temperature_max="8") for hour in range(13, 40)),
        mistake,
        retraction(mistake, 21),
        milestone("S-1", "delivered", 50),
    ]


def position(shipment_id: str, hour: float) -> Told:
    told = condition(shipment_id, hour, event_id=f"{shipment_id}/position@{hour}", type="position")
    return correction(told, hour, latitude=str(hour), longitude="1.5")


def known(store: Client) -> None:
    """Store what the agents publish, but for lead times, as epoch 1, which is shown."""
    epochs.begin(store, 1)
    epochs.end(store, 1)
    kinds = {"order.status", "shipment.status", "stock.positions", "exceptions"}
    told = [
        record(topic, b'{"version":[1,1],"state":' + said + b"}", appended_at=NEW)
        for (topic, _), said in rebuilt(store).states.items()
        if topic in kinds
    ]
    write(store, *told)


def late_event(store: Client, told: Told, at: int) -> Record:
    """Store an event that came too late, and that it did."""
    (one,) = put(store, [told], at)
    place = (one.epoch, one.topic, one.partition, one.offset)
    late = LateRecord(*place, at, f"{SITE}|{ITEM}", "its day has closed", told.raw)
    write(store, record("late.records", encode(late), appended_at=at))
    return one
