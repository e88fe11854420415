"""What is kept at hand answers as the definitions that read everything, whatever comes before and after a refresh."""

import random
import re
from typing import Any, Final

import pytest
from clickhouse_connect.driver.client import Client

from schemas.derived import ExceptionSet, ExceptionState, MilestoneState, ShipmentStatus
from schemas.times import DAY_MS, HOUR_MS, rfc3339
from sinks import epochs
from sinks.migrate import known
from sinks.rows import Record
from tests.sinks.conftest import MakeClient
from tests.sinks.records import NOON, column, milestone, only, rows, state, write
from tests.sinks.test_rollups import PLAIN_HOURS
from tests.sinks.watched import ago, described, forget_all, moved, now, position, quiet_store

PLAIN: Final = {
    5: ("shipment_milestones",),
    8: ("warehouse_events_since", "warehouse_receipts_since"),
    9: ("topic_freshness",),
}
"""The definitions that read everything, by the migration they are in."""

MINE: Final = 18

EVENTS: Final = tuple(
    f"SELECT * FROM {{}}{view}(days = {days}) ORDER BY ALL"  # noqa: S608  # our own names
    for view, days in (("warehouse_events_since", 35), ("warehouse_receipts_since", 28), ("warehouse_events_since", 92))
)


def statements_of(number: int) -> tuple[str, ...]:
    """The statements of one migration."""
    return next(one.statements for one in known() if one.number == number)


@pytest.fixture(scope="module")
def migrated(engine: MakeClient) -> Client:
    """A migrated store with the plain definitions beside the new ones, which all tests here share."""
    store = quiet_store(engine())
    for number, views in PLAIN.items():
        for statement in statements_of(number):
            found = re.match(r"CREATE OR REPLACE VIEW (\w+) AS", statement)
            if found and found[1] in views:
                store.command(statement.replace(f"VIEW {found[1]} AS", f"VIEW plain_{found[1]} AS", 1))
    return store


@pytest.fixture
def shown(migrated: Client) -> Client:
    """An empty store that shows epoch 1."""
    forget_all(migrated)
    return migrated


def refresh_view(store: Client, view: str) -> None:
    """Have the store work this out now."""
    store.command(f"SYSTEM REFRESH VIEW {view}")
    store.command(f"SYSTEM WAIT VIEW {view}")


def work_out(store: Client) -> None:
    """Refresh what is refreshed from time to time, long after the last insert."""
    store.command(
        "ALTER TABLE warehouse_events UPDATE inserted_at = inserted_at - INTERVAL 1 HOUR WHERE 1 "
        "SETTINGS mutations_sync = 2"
    )
    for view in ("warehouse_lately", "hours_counted"):
        refresh_view(store, view)


def assert_same_events(store: Client) -> None:
    """The warehouse events of some days are those of the plain definitions."""
    for sql in EVENTS:
        assert rows(store, sql.format("")) == rows(store, sql.format("plain_")), sql


def assert_same_hours(store: Client) -> None:
    """Every hour has the records that are there."""
    assert rows(store, "SELECT topic, hour, records FROM events_hourly ORDER BY ALL") == rows(
        store,
        f"SELECT topic, hour, records FROM ({PLAIN_HOURS}) ORDER BY ALL",  # noqa: S608  # our own names
    )


def assert_same_milestones(store: Client) -> None:
    """The milestones, and the overdue ones alone, are those of the plain definition, in the same columns."""
    kinds = [
        [row[:2] for row in store.query(f"DESCRIBE {name}").result_rows]
        for name in ("shipment_milestones", "plain_shipment_milestones")
    ]
    assert kinds[0] == kinds[1]
    for condition in ("1", "overdue_now = 1", "overdue_now = 0", "shipment_id = 'S1' AND overdue_now = 1"):
        sql = f"SELECT * FROM {{}}shipment_milestones WHERE {condition} ORDER BY ALL"  # noqa: S608  # our own names
        assert rows(store, sql.format("")) == rows(store, sql.format("plain_")), condition


# Warehouse events and hours


def said(draw: random.Random, number: int) -> Record:
    """A statement of one of a few events of 40 days: earlier or later, maybe a retraction, maybe with a lot."""
    kind = draw.choice(("received", "put_away", "picked", "shipped", "moved"))
    body: dict[str, Any] = {"site": f"S{draw.randrange(2)}", "item": "acme:1", "retracted": draw.random() < 0.3}
    if kind == "moved":
        body["direction"] = draw.choice(("in", "out"))
    body |= draw.choice(({}, {"lot": "L1"}, {"lot": "L2", "references": {"shipment_id": "S1"}}))
    body["recorded_at"] = rfc3339(ago(draw.choice((3, 2, 1))))
    hours = draw.choice((5.5, 30.5, 27 * 24 + 0.5, 29 * 24 + 0.5, 34 * 24 + 0.5, 40 * 24 + 0.5))
    return moved(f"e{draw.randrange(12)}", kind, hours, number + 1, arrived=draw.choice((1, 2, 2.5)), **body)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_events_and_hours_are_those_of_the_plain_definitions_whatever_comes(shown: Client, seed: int) -> None:
    draw = random.Random(seed)
    before: list[Record] = []
    for step in range(6):
        fresh = [said(draw, 10 * step + number) for number in range(10)]
        repeated = draw.sample(before, min(4, len(before)))
        again = [one._replace(offset=one.offset + 1_000_000) for one in repeated[:2]]
        write(shown, *fresh)
        write(shown, *repeated, *again)
        before += fresh
        assert_same_events(shown)
        assert_same_hours(shown)
        if step in {1, 3}:
            work_out(shown)
            assert_same_events(shown)
            assert_same_hours(shown)
    assert len(rows(shown, EVENTS[0].format(""))) > 3


def test_what_was_worked_out_is_not_read_again(shown: Client) -> None:
    write(shown, moved("e1", "received", 5, 1, lot="L1"), moved("e2", "shipped", 5, 2))
    assert column(shown, "SELECT since FROM warehouse_lately_since") == [None]
    work_out(shown)
    shown.command("TRUNCATE TABLE warehouse_events")
    assert column(shown, "SELECT type FROM warehouse_events_since(days = 35) ORDER BY type") == ["received", "shipped"]
    assert column(shown, "SELECT receipt FROM warehouse_receipts_since(days = 28)") == ["L1"]
    assert column(shown, "SELECT count() FROM warehouse_events_since(days = 36)") == [0]


def test_a_statement_that_came_late_does_not_bring_back_what_was_withdrawn(shown: Client) -> None:
    write(
        shown,
        moved("e1", "received", 5, 1, recorded_at=rfc3339(ago(2)), retracted=True),
        moved("e2", "received", 5, 2, recorded_at=rfc3339(ago(2))),
    )
    work_out(shown)
    write(
        shown,
        moved("e1", "received", 5, 3, recorded_at=rfc3339(ago(3))),
        moved("e2", "received", 5, 4, recorded_at=rfc3339(ago(3))),
    )
    assert column(shown, "SELECT quantity_thousandths FROM warehouse_events_since(days = 28)") == [2000]
    assert_same_events(shown)
    write(shown, moved("e1", "received", 5, 5, recorded_at=rfc3339(ago(1))))
    assert column(shown, "SELECT quantity_thousandths FROM warehouse_events_since(days = 28) ORDER BY 1") == [
        2000,
        5000,
    ]


def test_an_hour_is_counted_again_once_something_more_comes_for_it(shown: Client) -> None:
    first = moved("e1", "received", 5, 1)
    write(shown, first, moved("e2", "received", 50, 1))
    work_out(shown)
    write(shown, first, first._replace(offset=first.offset + 1_000_000))
    assert_same_hours(shown)
    assert sorted(column(shown, "SELECT records FROM events_hourly")) == [1, 2]


# Milestones


def shipment(draw: random.Random, version: int) -> Record:
    """The state of a shipment, now and then an older one than is known, or that it is gone."""

    def moment() -> int | None:
        return draw.choice((None, now() - draw.randrange(1, 3) * DAY_MS, now() + DAY_MS))

    milestones = tuple(
        MilestoneState(
            leg,
            draw.choice(("departed", "arrived")),
            planned_at=moment(),
            planned_due_at=moment(),
            estimated_at=moment(),
            actual_at=draw.choice((None, None, now() - HOUR_MS)),
            inferred=draw.random() < 0.2,
            location=draw.choice(("", "NLRTM")),
        )
        for leg in range(1, draw.randrange(1, 5))
    )
    told = ShipmentStatus(
        draw.choice(("S1", "S2", "S3", "S4")),
        "departed",
        1,
        final=draw.random() < 0.2,
        carrier=draw.choice(("", "DHL")),
        lane="A>B",
        milestones=milestones,
    )
    number = max(1, version - draw.choice((0, 0, 0, 4)))
    return state("shipment.status", told, number, draw.choice((1, 1, 2)), gone=draw.random() < 0.1)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_milestones_are_those_of_the_plain_definition_whatever_comes(shown: Client, seed: int) -> None:
    draw = random.Random(seed)
    before: list[Record] = []
    for step in range(6):
        fresh = [shipment(draw, 10 * step + number) for number in range(6)]
        write(shown, *fresh, *draw.sample(before, min(2, len(before))))
        before += fresh
        if step == 4:
            epochs.end(shown, epochs.begin(shown, 2))
            epochs.forget_before(shown, 2)
        assert_same_milestones(shown)


def overdue(estimated_at: int | None) -> Record:
    """A shipment with one overdue milestone."""
    one = MilestoneState(1, "arrived", ago(5), ago(4), estimated_at, location="NLRTM")
    return state("shipment.status", ShipmentStatus("S1", "departed", 1, final=False, lane="A>B", milestones=(one,)))


def test_what_was_there_before_the_migration_is_at_hand_and_again_changes_nothing(shown: Client) -> None:
    write(shown, overdue(ago(-3)), moved("e1", "received", 5, 1), milestone({}, appended_at=NOON - DAY_MS))
    # As the rows of a store that 0018 has not seen are: no estimates, and nothing tells when an hour was touched.
    shown.command("TRUNCATE TABLE shipments_under_way")
    for statement in statements_of(7):
        if statement.startswith("INSERT INTO shipments_under_way"):
            shown.command(statement)
    assert column(shown, "SELECT arrayCount(at -> isNotNull(at), awaited.estimated_at) FROM shipments_under_way") == [0]
    shown.command("ALTER TABLE event_hours DROP COLUMN touched SETTINGS mutations_sync = 2")
    for worked_out in (False, True):
        for statement in statements_of(MINE):
            shown.command(statement)
        if worked_out:
            work_out(shown)
        assert_same_milestones(shown)
        assert_same_hours(shown)
        assert_same_events(shown)
    assert only(shown, "SELECT isNotNull(estimated_at) AS told FROM shipment_milestones WHERE overdue_now = 1") == {
        "told": 1
    }


def test_who_asks_for_overdue_milestones_reads_no_state(shown: Client) -> None:
    write(shown, overdue(None))
    shown.command("TRUNCATE TABLE shipment_status")
    assert column(shown, "SELECT shipment_id FROM shipment_milestones WHERE overdue_now = 1") == ["S1"]


# Exceptions of stock, sources, freshness


def test_exceptions_of_stock_are_those_of_all_exceptions(shown: Client) -> None:
    stock = ExceptionSet(
        "stock/BER|acme:1",
        (
            ExceptionState("stockout/stock/BER|acme:1", "stockout", NOON, "None is left."),
            ExceptionState("negative_stock/stock/BER|acme:1", "negative_stock", NOON, "Less than none."),
        ),
    )
    other = ExceptionSet("shipment/S1", (ExceptionState("x/shipment/S1", "condition_excursion", NOON, "Warm."),))
    write(
        shown,
        state("exceptions", stock),
        state("exceptions", other),
        state("exceptions", ExceptionSet("stock/HAM|acme:1", stock.exceptions), 1),
        state("exceptions", ExceptionSet("stock/HAM|acme:1", ()), 2),
        described("item_described", item="acme:1", reorder_point="100", unit="pack"),
        position(2, site="BER"),
    )
    refresh_view(shown, "exceptions_watched")
    found = rows(shown, "SELECT * FROM stock_exceptions_open ORDER BY ALL")
    assert found == rows(shown, "SELECT * FROM exceptions_open WHERE entity_kind = 'stock' ORDER BY ALL")
    assert sorted(one["kind"] for one in found) == ["below_reorder_point", "negative_stock", "stockout"]
    assert [row[0] for row in shown.query("DESCRIBE stock_exceptions_open").result_rows] == [
        row[0] for row in shown.query("DESCRIBE exceptions_open").result_rows
    ]


def test_every_source_of_whom_anything_is_known_is_known(shown: Client) -> None:
    write(
        shown,
        described("source_described", describes="described", expected_cadence="0.5"),
        moved("e1", "received", 24 * 60, 1, source="long ago"),
    )
    shown.command(
        "INSERT INTO dead_letter_records (epoch, topic, partition, offset, source, appended_at) VALUES "
        "(1, 'shipment.events', 0, 1, 'dead', now64() - INTERVAL 1 HOUR), "
        "(1, 'shipment.events', 0, 2, 'dead long ago', now64() - INTERVAL 2 DAY), "
        "(1, 'shipment.events', 0, 3, '', now64() - INTERVAL 1 HOUR)"
    )
    found = sorted(column(shown, "SELECT source FROM sources_known"))
    assert found == ["dead", "described", "long ago"]
    assert found == sorted(column(shown, "SELECT source FROM source_health"))


def test_the_newest_records_are_those_of_the_plain_definition(shown: Client) -> None:
    for batch in ((), (moved("e1", "received", 5, 1),), (moved("e2", "received", 3, 1), milestone({}), overdue(None))):
        write(shown, *batch)
        sql = "SELECT topic, newest_at, toTypeName(age_s) FROM {}topic_freshness ORDER BY topic"
        assert rows(shown, sql.format("")) == rows(shown, sql.format("plain_"))
