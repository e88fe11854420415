"""The rollups answer as the definitions that read everything: with corrections, retractions, repeats and two epochs."""

import random
import re
from collections.abc import Collection, Iterator
from typing import Any, Final

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from schemas.derived import (
    ExceptionSet,
    ExceptionState,
    MilestoneState,
    OrderLineState,
    OrderStatus,
    ShipmentStatus,
)
from schemas.times import DAY_MS, HOUR_MS, rfc3339
from sinks import epochs
from sinks.migrate import known, migrate
from sinks.rows import Record
from tests.sinks.records import NOON, event, milestone, only, rows, state, write
from tests.sinks.watched import let_half_an_hour_pass

ROLLED: Final = {"exceptions_open": 7, "on_time_daily": 19}
"""Views, and the migration that defines them by rollups; 0005 has their plain definitions."""
_BY_ID: Final = ("s.shipment_id))\n                AS lane", "s.lane))\n                AS lane")
"""Of shipments that came at one moment 0005 takes the lane of the last by id; since 0019 it is the last lane."""

FACTS: Final = ("supplier", "shipment", "warehouse", "reference", "operator")

PLAIN_COUNTS: Final = " UNION ALL ".join(
    f"SELECT '{name}.events' AS topic, count() AS stored, "  # noqa: S608  # our own names
    "uniqExact(source, event_id, recorded_at, retracted, content_hash) AS accepted "
    f"FROM {name}_events FINAL HAVING stored > 0"
    for name in FACTS
)

PLAIN_HOURS: Final = " UNION ALL ".join(
    f"SELECT '{name}.events' AS topic, toStartOfHour(appended_at) AS hour, count() AS records "  # noqa: S608
    f"FROM {name}_events FINAL GROUP BY hour"
    for name in FACTS
)


def definitions(number: int, prefix: str, views: Collection[str]) -> Iterator[str]:
    """These views as migration `number` defines them, under names of their own: a later one may define them anew."""
    for statement in next(one for one in known() if one.number == number).statements:
        found = re.match(r"CREATE OR REPLACE VIEW (\w+) AS", statement)
        if found and found[1] in views:
            yield statement.replace(f"VIEW {found[1]} AS", f"VIEW {prefix}_{found[1]} AS", 1)


def define_both(client: Client) -> None:
    """Make the plain views and the rolled-up ones."""
    for statement in definitions(5, "plain", ROLLED):
        client.command(statement.replace(*_BY_ID))
    for view, number in ROLLED.items():
        for statement in definitions(number, "rolled", [view]):
            client.command(statement)


@pytest.fixture
def both(store: Client) -> Client:
    """A store that shows epoch 1 and has the old definitions beside the new ones."""
    epochs.end(store, epochs.begin(store))
    define_both(store)
    return store


def refresh(client: Client) -> None:
    """Refresh what is refreshed from time to time, long after the last change."""
    client.command(
        "ALTER TABLE statement_days UPDATE touched = touched - INTERVAL 1 DAY WHERE 1 SETTINGS mutations_sync = 2"
    )
    for view in ("statement_counts", "delivered_lines"):
        client.command(f"SYSTEM REFRESH VIEW {view}")
        client.command(f"SYSTEM WAIT VIEW {view}")
    let_half_an_hour_pass(client)


def assert_same(client: Client) -> None:
    """Every rollup answers as its plain definition does."""
    for view in ROLLED:
        rolled, plain = (rows(client, f"SELECT * FROM {how}_{view} ORDER BY ALL") for how in ("rolled", "plain"))  # noqa: S608
        assert rolled == plain, view
    columns = "shipment_id, leg, milestone, planned_at, planned_due_at, location, lane, carrier"
    overdue = f"SELECT {columns} FROM shipment_milestones WHERE overdue_now = 1 ORDER BY ALL"  # noqa: S608  # our own names
    assert rows(client, f"SELECT {columns} FROM milestones_overdue ORDER BY ALL") == rows(client, overdue)  # noqa: S608
    assert rows(client, "SELECT topic, stored, accepted FROM records_by_topic ORDER BY ALL") == rows(
        client,
        f"SELECT topic, stored, accepted FROM ({PLAIN_COUNTS}) ORDER BY ALL",  # noqa: S608
    )
    assert rows(client, "SELECT topic, hour, records FROM events_hourly ORDER BY ALL") == rows(
        client,
        f"SELECT topic, hour, records FROM ({PLAIN_HOURS}) ORDER BY ALL",  # noqa: S608
    )


def said(draw: random.Random, now: int) -> Record:
    """An event: often a correction, a retraction, the same statement again, or a coordinate that was written before."""
    place = {
        "epoch": draw.choice([1, 2]),
        "partition": draw.randrange(2),
        "appended_at": now - draw.choice([0, 1, HOUR_MS, 40 * DAY_MS]),
    }
    base: dict[str, Any] = {
        "event_id": draw.choice("abc"),
        "recorded_at": rfc3339(NOON - draw.choice([0, 1, DAY_MS, 40 * DAY_MS])),
        "retracted": draw.random() < 0.2,
    }
    if draw.random() < 0.5:
        return milestone(base | {"shipment_id": draw.choice(["S1", "S2"]), "leg": draw.randint(1, 2)}, **place)
    counted = {"type": "counted", "site": "BER", "item": "acme:1", "quantity": draw.randint(1, 2), "unit": "pcs"}
    return event("warehouse.events", base | counted, **place)


def told(draw: random.Random, now: int, version: int) -> Record:
    """A state of an order, a shipment or its exceptions, now and then an older one; no two of one version."""
    numbers: dict[str, Any] = {
        "version": 100 + 10 * version - draw.choice([0, 0, 0, 95]),
        "epoch": draw.choice([1, 1, 2]),
    }
    moment = now - draw.randrange(4) * DAY_MS
    name = draw.choice(["S1", "S2", "S3"])
    kind = draw.choice(["order", "order", "shipment", "shipment", "exceptions"])
    if kind == "order":
        lines = tuple(
            OrderLineState(
                f"{number}",
                "delivered",
                "acme:1",
                "pcs",
                1_000,
                delivered_at=draw.choice([moment, moment, None]),
                due_at=draw.choice([moment, moment - 1, None]),
                late=draw.random() < 0.3,
                shipments=tuple(draw.sample(["S1", "S2", "S3", "unheard of"], draw.randrange(3))),
            )
            for number in range(draw.randrange(3))
        )
        order = OrderStatus(draw.choice(["P1", "P2", "P3"]), "placed", supplier=draw.choice(["x", "y"]), lines=lines)
        return state("order.status", order, **numbers, gone=draw.random() < 0.1)
    if kind == "exceptions":
        entity = draw.choice(["shipment/S1", "shipment/S9", "stock/BER|acme:1"])
        found = tuple(
            ExceptionState(f"{one}/{entity}", one, NOON, "Because.")
            for one in draw.sample(["stockout", "condition_excursion", "late_delivery"], draw.randrange(3))
        )
        return state("exceptions", ExceptionSet(entity, found), **numbers)
    milestones = tuple(
        MilestoneState(
            number,
            "departed",
            planned_at=moment,
            planned_due_at=draw.choice([moment, now + DAY_MS, None]),
            actual_at=draw.choice([moment, None]),
            inferred=draw.random() < 0.3,
        )
        for number in range(1, draw.randrange(1, 4))
    )
    shipment = ShipmentStatus(
        name,
        "departed",
        1,
        final=draw.random() < 0.4,
        carrier=draw.choice(["", "DHL"]),
        lane=draw.choice(["A>B", "C>D", "?>?"]),
        due_at=draw.choice([moment, now + DAY_MS, None]),
        delivered_at=draw.choice([moment, moment - 1, None]),
        milestones=milestones,
    )
    return state("shipment.status", shipment, **numbers, gone=draw.random() < 0.1)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_rollups_answer_as_the_plain_definitions_whatever_comes(both: Client, seed: int) -> None:
    draw = random.Random(seed)
    known_records: list[Record] = []
    for step in range(7):
        fresh = [said(draw, NOON) for _ in range(6)]
        fresh += [told(draw, NOON, 10 * step + number) for number in range(8)]
        repeated = draw.sample(known_records, min(4, len(known_records)))
        again = [one._replace(offset=one.offset + 1_000_000) for one in repeated[:2] if one.topic.endswith(".events")]
        for batch in (fresh, repeated, again):
            write(both, *batch)
        known_records += fresh
        if step in {2, 4}:
            refresh(both)
        if step == 5:
            epochs.end(both, epochs.begin(both, 2))
        assert_same(both)


def test_a_refreshed_rollup_is_what_is_read_where_nothing_changed(both: Client) -> None:
    order = OrderStatus(
        "P1", "delivered", lines=(OrderLineState("1", "delivered", "acme:1", "pcs", 1, delivered_at=NOON, due_at=NOON),)
    )
    write(both, state("order.status", order))
    refresh(both)
    both.command("TRUNCATE TABLE order_status")
    assert only(both, "SELECT lines, on_time FROM on_time_daily") == {"lines": 1, "on_time": 1}


def test_a_lane_that_is_corrected_later_moves_its_lines(both: Client) -> None:
    lines = (OrderLineState("1", "delivered", "acme:1", "pcs", 1, delivered_at=NOON, due_at=NOON, shipments=("S1",)),)
    write(
        both,
        state("order.status", OrderStatus("P1", "delivered", lines=lines)),
        state("shipment.status", ShipmentStatus("S1", "delivered", 1, final=True, lane="A>B", delivered_at=NOON)),
    )
    refresh(both)
    corrected = ShipmentStatus("S1", "delivered", 1, final=True, lane="A>C", delivered_at=NOON)
    write(both, state("shipment.status", corrected, 2))
    assert _lanes(both) == ["A>C"]
    assert_same(both)


def test_of_several_shipments_that_brought_a_line_the_one_that_was_corrected_takes_its_new_place(both: Client) -> None:
    lines = (
        OrderLineState(
            "1", "delivered", "acme:1", "pcs", 1, delivered_at=NOON, due_at=NOON, shipments=("S1", "S2", "unheard of")
        ),
    )
    first = ShipmentStatus("S1", "delivered", 1, final=True, lane="A>B", delivered_at=NOON - HOUR_MS)
    last = ShipmentStatus("S2", "delivered", 1, final=True, lane="C>D", delivered_at=NOON)
    write(both, state("order.status", OrderStatus("P1", "delivered", lines=lines)))
    write(both, state("shipment.status", first), state("shipment.status", last))
    refresh(both)
    for table in ("lead_times_lately", "delivered_lines_lately"):
        both.command(f"TRUNCATE TABLE {table}")
    assert _lanes(both) == ["C>D"]
    undelivered = ShipmentStatus("S2", "departed", 1, final=False, lane="C>D")
    write(both, state("shipment.status", undelivered, 2))
    assert _lanes(both) == ["A>B"]
    write(both, state("shipment.status", last))
    assert _lanes(both) == ["A>B"]
    assert_same(both)


def test_an_older_state_of_an_order_that_is_written_again_after_the_refresh_changes_nothing(both: Client) -> None:
    line = OrderLineState("1", "delivered", "acme:1", "pcs", 1, delivered_at=NOON, due_at=NOON)
    old = state("order.status", OrderStatus("P1", "delivered", lines=(line,)))
    late = msgspec.structs.replace(line, late=True)
    write(both, old, state("order.status", OrderStatus("P1", "delivered", lines=(late,)), 2))
    refresh(both)
    write(both, old)
    assert only(both, "SELECT on_time, late FROM on_time_daily") == {"on_time": 0, "late": 1}
    assert_same(both)


def _lanes(client: Client) -> list[str]:
    return [row["lane"] for row in rows(client, "SELECT lane FROM on_time_daily ORDER BY lane")]


def test_a_rollup_that_has_not_been_refreshed_for_long_is_not_used(both: Client) -> None:
    order = OrderStatus(
        "P1", "delivered", lines=(OrderLineState("1", "delivered", "acme:1", "pcs", 1, delivered_at=NOON, due_at=NOON),)
    )
    write(both, state("order.status", order))
    refresh(both)
    assert only(both, "SELECT since FROM on_time_since")["since"] is not None
    epochs.end(both, epochs.begin(both, 2))
    assert only(both, "SELECT since FROM on_time_since")["since"] is None
    write(both, state("order.status", order, epoch=2))
    assert_same(both)


@pytest.mark.slow
def test_what_was_there_before_the_migration_is_rolled_up_and_again_changes_nothing(bare: Client) -> None:
    rollups, lately = (next(one for one in known() if one.number == number) for number in (7, 19))
    migrate(bare)
    for name in (*(f"{fact}_event_hours" for fact in FACTS), *(f"{fact}_statement_days" for fact in FACTS)):
        bare.command(f"DROP VIEW {name}")
    epochs.end(bare, epochs.begin(bare))
    define_both(bare)
    write(bare, milestone({}), milestone({"event_id": "b"}), milestone({"event_id": "b"}))
    assert rows(bare, "SELECT * FROM records_by_topic") == []
    for _ in range(2):
        for statement in (*rollups.statements, *lately.statements):
            bare.command(statement)
        assert_same(bare)
    assert only(bare, "SELECT stored, accepted FROM records_by_topic") == {"stored": 3, "accepted": 2}


def test_an_event_is_found_by_its_id_through_the_index(both: Client) -> None:
    write(both, milestone({"event_id": "looked for"}), milestone({"event_id": "another"}))
    plan = both.query("EXPLAIN indexes = 1 SELECT 1 FROM shipment_events FINAL WHERE event_id = 'x'").result_rows
    assert "by_event_id" in str(plan)
    found = rows(both, "SELECT event_id FROM shipment_events FINAL WHERE source = 'acme' AND event_id = 'looked for'")
    assert [row["event_id"] for row in found] == ["looked for"]
