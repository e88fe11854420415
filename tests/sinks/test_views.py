import math
import random
import re
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.buckets import bucket_of, quantile
from schemas.derived import (
    ExceptionSet,
    ExceptionState,
    LateRecord,
    LeadStats,
    LeadWindow,
    MilestoneState,
    OrderLineState,
    OrderStatus,
    ShipmentLineState,
    ShipmentStatus,
    StockPosition,
    encode,
)
from schemas.times import DAY_MS, HOUR_MS, due_ms, rfc3339
from schemas.versions import Version, event_version
from sinks import epochs
from sinks.migrate import migrate
from sinks.rows import Record
from tests.sinks.records import NOON, column, event, milestone, only, record, rows, state, write

CONTRACT: Final = (Path(__file__).parents[2] / "docs" / "views.md").read_text(encoding="utf-8")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def shown(store: Client) -> Client:
    """A store that shows epoch 1."""
    epochs.end(store, epochs.begin(store))
    return store


# The contract


def test_every_column_of_the_contract_is_there(store: Client) -> None:
    sections = re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", CONTRACT, re.MULTILINE | re.DOTALL)
    views = [(view, text) for view, text in sections if "| column | meaning |" in text]
    assert len(views) >= 8
    for view, text in views:
        wanted = {
            name.strip()
            for cell in re.findall(r"^\| ([a-z_0-9, ]+) \|", text, re.MULTILINE)
            for name in cell.split(",")
        } - {"column"}
        found = {row[0] for row in store.query(f"DESCRIBE {view}").result_rows}
        assert wanted <= found, view


# Corrections, retractions, repeats


def statements(client: Client, shipment: str) -> list[tuple[str, str, int]]:
    sql = "SELECT source, event_id, leg FROM shipment_events_now WHERE shipment_id = {id:String} ORDER BY ALL"
    return [tuple(row) for row in client.query(sql, {"id": shipment}).result_rows]


def test_a_later_statement_replaces_and_a_retraction_withdraws(store: Client) -> None:
    later = rfc3339(NOON + 1)
    write(
        store,
        milestone({"event_id": "a", "leg": 2, "recorded_at": later}),
        milestone({"event_id": "a", "leg": 1}),
        milestone({"event_id": "b", "leg": 3}),
        milestone({"event_id": "b", "leg": 4, "retracted": True}),
        milestone({"event_id": "c", "leg": 5, "retracted": True}),
        milestone({"event_id": "c", "leg": 6, "recorded_at": later}),
    )
    assert statements(store, "S1") == [("acme", "a", 2), ("acme", "c", 6)]


def test_a_record_that_is_inserted_twice_is_one_row(store: Client) -> None:
    one = milestone({"event_id": "a"})
    write(store, one)
    write(store, one)
    assert column(store, "SELECT count() FROM shipment_events") == [2]
    assert column(store, "SELECT count() FROM shipment_events FINAL") == [1]
    assert len(statements(store, "S1")) == 1


def test_one_statement_that_came_twice_is_two_records_and_counts_once(store: Client) -> None:
    write(store, milestone({}, offset=1), milestone({}, offset=2))
    assert column(store, "SELECT count() FROM shipment_events FINAL") == [2]
    assert len(statements(store, "S1")) == 1


_RUN: Final = iter(range(1_000_000))

SAID: Final = st.fixed_dictionaries(
    {
        "source": st.sampled_from(["acme", "port"]),
        "event_id": st.sampled_from(["a", "b"]),
        "recorded_at": st.sampled_from([rfc3339(NOON), rfc3339(NOON + 1), "2026-11-22T13:00:00+01:00"]),
        "retracted": st.booleans(),
        "leg": st.integers(1, 9),
    }
)


@pytest.fixture(scope="module")
def shared_store(engine: Any) -> Client:
    client: Client = engine()
    client.command("CREATE DATABASE shared")
    client.database = "shared"
    migrate(client)
    return client


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(SAID, min_size=1, max_size=12), cuts=st.lists(st.integers(0, 12), max_size=2), data=st.data())
def test_sql_picks_the_statement_that_python_picks(
    shared_store: Client, said: list[dict[str, Any]], cuts: list[int], data: st.DataObject
) -> None:
    shipment = f"S{next(_RUN)}"
    records = [milestone(one | {"shipment_id": shipment}) for one in said]
    greatest: dict[tuple[str, str], tuple[Version, dict[str, Any]]] = {}
    for one, made in zip(said, records, strict=True):
        moment = NOON + 1 if one["recorded_at"] == rfc3339(NOON + 1) else NOON
        version = event_version(moment, made.value or b"", retracted=one["retracted"])
        key = (one["source"], one["event_id"])
        if key not in greatest or version > greatest[key][0]:
            greatest[key] = (version, one)
    expected = sorted((*key, one["leg"]) for key, (_, one) in greatest.items() if not one["retracted"])
    again = data.draw(st.permutations([*records, *records[:3]]))
    for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), len(again)], strict=True):
        if again[start:stop]:
            write(shared_store, *again[start:stop])
    assert statements(shared_store, shipment) == expected


# Which epoch, which version


def position(on_hand: int = 1_000, **more: Any) -> StockPosition:
    return StockPosition("BER", "acme:1", "pack", on_hand=on_hand, received=on_hand, movements=1, **more)


def test_an_epoch_that_has_not_ended_is_invisible(store: Client) -> None:
    write(store, state("stock.positions", position(1_000), epoch=1))
    assert rows(store, "SELECT * FROM stock_now") == []
    epochs.end(store, epochs.begin(store))
    assert only(store, "SELECT on_hand, epoch FROM stock_now") == {"on_hand": Decimal(1), "epoch": 1}
    assert epochs.begin(store) == 2
    write(store, state("stock.positions", position(2_000), epoch=2))
    assert column(store, "SELECT epoch FROM stock_now") == [1]
    epochs.end(store, 2)
    assert only(store, "SELECT on_hand, epoch FROM stock_now") == {"on_hand": Decimal(2), "epoch": 2}


def test_an_epoch_that_is_begun_again_keeps_its_end(store: Client) -> None:
    epochs.end(store, epochs.begin(store, 41))
    assert epochs.begin(store, 41) == 41
    store.command("OPTIMIZE TABLE epochs FINAL")
    assert epochs.current(store) == 41


def test_forgetting_drops_only_what_is_not_shown(store: Client) -> None:
    for epoch in (1, 2, 3):
        epochs.begin(store, epoch)
        write(store, state("stock.positions", position(epoch), epoch=epoch))
    epochs.end(store, 2)
    assert epochs.forget_before(store, 3) == 1
    assert column(store, "SELECT DISTINCT epoch FROM stock_positions ORDER BY epoch") == [2, 3]


def test_the_greatest_version_counts_before_any_merge(shown: Client) -> None:
    for version in (2, 3, 1):
        write(shown, state("stock.positions", position(version * 1_000), version))
    assert column(shown, "SELECT count() FROM stock_positions") == [3]
    assert column(shown, "SELECT on_hand FROM stock_now") == [Decimal(3)]


def test_a_position_that_is_gone_is_not_shown(shown: Client) -> None:
    write(shown, state("stock.positions", position(), 3))
    assert column(shown, "SELECT count() FROM stock_now") == [1]
    write(shown, state("stock.positions", position(), 4, gone=True))
    assert column(shown, "SELECT count() FROM stock_now") == [0]
    write(shown, state("stock.positions", position(), 5))
    assert column(shown, "SELECT count() FROM stock_now") == [1]


# Orders


def line(line_id: str, status: str, **more: Any) -> OrderLineState:
    return OrderLineState(line_id, status, "acme:1", "pack", 12_500, **more)


def test_an_order_and_its_lines_are_shown_as_published(shown: Client) -> None:
    ordered_at = NOON - 10 * DAY_MS
    order = OrderStatus(
        "PO1",
        "partly_delivered",
        supplier="acme",
        destination="BER",
        ordered_at=ordered_at,
        lines=(
            line(
                "1",
                "delivered",
                delivered=12_500,
                ordered_at=ordered_at,
                delivered_at=NOON,
                promised_at=NOON - DAY_MS,
                due_at=NOON - DAY_MS,
                late=True,
                late_ms=DAY_MS,
                unit_cost_micros=1_250_000,
                currency="EUR",
                shipments=("S1", "S2"),
            ),
            line("2", "placed", findings=("unit_conflict",)),
            line("3", "cancelled", promised_at=1, due_at=1),
        ),
    )
    write(shown, state("order.status", order, 7))
    assert only(shown, "SELECT * EXCEPT ordered_at FROM orders_now") == {
        "order_id": "PO1",
        "status": "partly_delivered",
        "supplier": "acme",
        "buyer": "",
        "destination": "BER",
        "lines": 3,
        "delivered_lines": 1,
        "late_lines": 1,
        "open_lines": 1,
        "final": 0,
        "epoch": 1,
        "version": 7,
    }
    first, second, third = rows(shown, "SELECT * FROM order_lines_now ORDER BY line_id")
    assert (first["ordered"], first["delivered"]) == (Decimal("12.5"), Decimal("12.5"))
    assert (first["unit_cost"], first["currency"], first["shipments"]) == (Decimal("1.25"), "EUR", ["S1", "S2"])
    assert (first["delivered_late"], first["late_now"], first["late"], first["late_days"]) == (1, 0, 1, 1.0)
    assert first["lead_time_days"] == 10.0
    assert (second["late"], second["lead_time_days"], second["unit_cost"]) == (0, None, None)
    assert second["findings"] == ["unit_conflict"]
    assert third["late"] == 0


def test_a_line_becomes_late_by_time_alone(shown: Client) -> None:
    now = now_ms()
    order = OrderStatus(
        "PO1",
        "placed",
        lines=(
            line("past", "shipped", promised_at=now - 3 * HOUR_MS, due_at=now - 3 * HOUR_MS),
            line("soon", "shipped", promised_at=now + HOUR_MS, due_at=now + HOUR_MS),
            line("never", "shipped"),
        ),
    )
    write(shown, state("order.status", order))
    found = {row["line_id"]: row for row in rows(shown, "SELECT * FROM order_lines_now")}
    assert {name: row["late_now"] for name, row in found.items()} == {"past": 1, "soon": 0, "never": 0}
    assert found["past"]["delivered_late"] == 0
    assert 0.125 <= found["past"]["late_days"] < 0.2
    assert found["soon"]["late_days"] == 0
    assert only(shown, "SELECT late_lines, open_lines FROM orders_now") == {"late_lines": 1, "open_lines": 3}


def test_a_promise_of_a_day_is_kept_until_the_day_ends_and_counts_in_whole_days(shown: Client) -> None:
    now = now_ms()

    def promised(ago: int) -> dict[str, int]:
        return {"promised_at": now - ago, "due_at": due_ms(now - ago, day_precision=True)}

    order = OrderStatus(
        "PO1",
        "placed",
        lines=(
            line("same day", "placed", **promised(20 * HOUR_MS)),
            line("next day", "placed", **promised(30 * HOUR_MS)),
            line("delivered", "delivered", delivered_at=now, late=True, late_ms=60 * HOUR_MS, **promised(60 * HOUR_MS)),
        ),
    )
    write(shown, state("order.status", order))
    found = rows(shown, "SELECT line_id, late, late_days FROM order_lines_now ORDER BY line_id")
    assert [tuple(row.values()) for row in found] == [("delivered", 1, 2.0), ("next day", 1, 1.0), ("same day", 0, 0.0)]


# Shipments


def shipment(shipment_id: str, due_in: int | None = None, *, final: bool = False, **more: Any) -> ShipmentStatus:
    due = None if due_in is None else now_ms() + due_in
    base = {"promised_at": due, "due_at": due, "lane": "NLRTM>BER", "carrier": "MAEU"}
    return ShipmentStatus(shipment_id, "departed", 1, final, **(base | more))


def test_a_shipment_becomes_late_by_time_alone_and_no_message(shown: Client) -> None:
    write(
        shown,
        state("shipment.status", shipment("past", -2 * HOUR_MS)),
        state("shipment.status", shipment("future", HOUR_MS)),
        state("shipment.status", shipment("no promise")),
        state("shipment.status", shipment("ended", -2 * HOUR_MS, final=True, late=True, late_ms=HOUR_MS)),
    )
    (late,) = rows(shown, "SELECT * FROM late_shipments")
    assert (late["shipment_id"], late["exception_id"]) == ("past", "late_delivery/shipment/past")
    assert late["late_since"] == late["due_at"]
    assert 2 <= late["late_hours"] < 3
    ended = only(
        shown, "SELECT late_now, delivered_late, late_hours, open FROM shipments_now WHERE shipment_id = 'ended'"
    )
    assert ended == {"late_now": 0, "delivered_late": 1, "late_hours": 1.0, "open": 0}


def test_the_columns_of_late_shipments_start_with_those_of_shipments_now(store: Client) -> None:
    shipments, late = (
        [row[0] for row in store.query(f"DESCRIBE {view}").result_rows] for view in ("shipments_now", "late_shipments")
    )
    assert late[: len(shipments)] == shipments
    assert late[len(shipments) :] == ["exception_id", "acknowledged", "late_since"]


def test_lines_are_late_by_their_own_promise_else_by_that_of_the_shipment(shown: Client) -> None:
    def goods(delivered_at: int | None = None, due_in: int | None = None, *, late: bool = False) -> ShipmentLineState:
        due = None if due_in is None else now_ms() + due_in
        return ShipmentLineState("acme:1", "pack", None, None, 1, 0, delivered_at, due, due, late)

    lines = (goods(), goods(due_in=HOUR_MS), goods(due_in=-1), goods(NOON), goods(NOON, late=True))
    write(shown, state("shipment.status", shipment("S1", -HOUR_MS, lines=lines)))
    assert only(shown, "SELECT lines, late_lines FROM shipments_now") == {"lines": 5, "late_lines": 3}


def test_a_position_is_shown_in_degrees(shown: Client) -> None:
    where: dict[str, Any] = {"latitude_micros": 52_520_008, "longitude_micros": -13_404_954, "seen_at": NOON}
    write(shown, state("shipment.status", shipment("S1", **where)), state("shipment.status", shipment("S2")))
    found = rows(shown, "SELECT latitude, longitude FROM shipments_now ORDER BY shipment_id")
    assert found == [{"latitude": 52.520008, "longitude": -13.404954}, {"latitude": None, "longitude": None}]


def test_a_planned_milestone_that_nobody_reported_is_overdue(shown: Client) -> None:
    past, future = now_ms() - HOUR_MS, now_ms() + HOUR_MS
    milestones = (
        MilestoneState(1, "departed", past, past, actual_at=past, location="NLRTM"),
        MilestoneState(1, "arrived", past, past, inferred=True),
        MilestoneState(2, "departed", past, past),
        MilestoneState(2, "arrived", future, future),
        MilestoneState(2, "delivered"),
    )
    write(
        shown,
        state("shipment.status", shipment("S1", milestones=milestones)),
        state("shipment.status", shipment("S2", final=True, milestones=milestones)),
    )
    found = rows(shown, "SELECT shipment_id, leg, milestone FROM shipment_milestones WHERE overdue_now = 1")
    assert found == [{"shipment_id": "S1", "leg": 2, "milestone": "departed"}]
    assert column(shown, "SELECT count() FROM shipment_milestones") == [10]
    overdue = only(shown, "SELECT * FROM exceptions_open")
    assert overdue["exception_id"] == "overdue_milestone/shipment/S1"
    assert (overdue["lane"], overdue["carrier"]) == ("NLRTM>BER", "MAEU")
    assert overdue["detail"].startswith("Planned and not reported: departed of leg 2, due 20")


# Stock


def test_stock_is_shown_in_units_and_is_conserved(shown: Client) -> None:
    full = StockPosition(
        "BER",
        "acme:a|b",
        "pack",
        on_hand=-1_500,
        available=-2_000,
        reserved=500,
        received=1_000,
        shipped=2_500,
        movements=2,
        last_movement_at=NOON,
        negative_since=NOON,
        findings=("negative_stock",),
    )
    write(shown, state("stock.positions", full), state("stock.positions", StockPosition("BER", "acme:gone", "pack")))
    found = only(shown, "SELECT * FROM stock_now")
    assert (found["item"], found["on_hand"], found["available"]) == ("acme:a|b", Decimal("-1.5"), Decimal(-2))
    came = sum(found[name] for name in ("received", "returned", "moved_in", "adjusted", "count_variance"))
    assert came == sum(found[name] for name in ("on_hand", "shipped", "moved_out", "scrapped"))
    assert found["negative_since"] is not None
    assert found["stockout_since"] is None


# Lead times


def window(durations: Iterable[int], negative: int = 0) -> LeadWindow:
    seen = sorted(durations)
    counts: dict[int, int] = defaultdict(int)
    for duration in seen:
        counts[bucket_of(duration)] += 1
    buckets = tuple(sorted(counts.items()))
    p50, p90, p95 = (quantile(buckets, q) for q in (0.5, 0.9, 0.95))
    return LeadWindow(len(seen), negative, sum(seen), str(sum(d * d for d in seen)), p50, p90, p95, buckets)


@pytest.mark.parametrize("seed", range(3))
def test_lead_times_of_all_routes_are_exact(shown: Client, seed: int) -> None:
    chance = random.Random(seed)
    routes = {f"A>{name}": [chance.choice([0, 1, chance.randrange(10**11)]) for _ in range(97)] for name in "BCD"}
    for day, (route, durations) in enumerate(routes.items()):
        recent = durations[: 10 + day]
        write(
            shown,
            state("lead.stats", LeadStats("transit", route, 20_000 + day, window(recent), window(durations, day))),
        )
    for name in ("90d", "all"):
        parts = {route: seen if name == "all" else seen[: 10 + day] for day, (route, seen) in enumerate(routes.items())}
        parts["all"] = [one for seen in parts.values() for one in seen]
        for route, seen in parts.items():
            sql = f"SELECT * FROM lead_time_stats WHERE route = '{route}' AND window = '{name}'"  # noqa: S608
            found = only(shown, sql)
            assert found["n"] == len(seen)
            assert math.isclose(found["mean_days"], statistics.fmean(seen) / DAY_MS, rel_tol=1e-12)
            assert math.isclose(found["stddev_days"], statistics.stdev(seen) / DAY_MS, rel_tol=1e-12)
            expected = window(seen)
            assert [found[f"{p}_days"] * DAY_MS for p in ("p50", "p90", "p95")] == pytest.approx(
                [expected.p50, expected.p90, expected.p95], rel=1e-12
            )
    assert column(shown, "SELECT negative FROM lead_time_stats WHERE route = 'all' AND window = 'all'") == [3]
    assert str(column(shown, "SELECT max(last_day) FROM lead_time_stats")[0]) == "2024-10-06"


def test_a_route_with_one_observation_has_no_deviation_and_an_empty_one_no_row(shown: Client) -> None:
    empty = window(())
    write(
        shown,
        state("lead.stats", LeadStats("transit", "A>B", 20_000, window([5]), window([5]))),
        state("lead.stats", LeadStats("transit", "A>C", None, empty, empty)),
        state("lead.stats", LeadStats("dock_to_stock", "BER", None, window((), 2), window((), 2))),
    )
    found = rows(shown, "SELECT * FROM lead_time_stats WHERE window = 'all' ORDER BY ALL")
    assert [(row["measure"], row["route"], row["n"], row["negative"]) for row in found] == [
        ("dock_to_stock", "BER", 0, 2),
        ("dock_to_stock", "all", 0, 2),
        ("transit", "A>B", 1, 0),
        ("transit", "all", 1, 0),
    ]
    assert {row["stddev_days"] for row in found} == {None}
    assert [row["mean_days"] is None for row in found] == [True, True, False, False]
    assert [row["p50_days"] is None for row in found] == [True, True, False, False]


# Exceptions and acknowledgements


def say(kind: str, exception_id: str, at: int, **said: Any) -> Record:
    base = {
        "event_id": f"{kind}-{at}",
        "type": kind,
        "exception_id": exception_id,
        "by": "kim",
        "occurred_at": rfc3339(at),
    }
    return event("operator.events", base | {"recorded_at": rfc3339(at)} | said)


def acknowledged(client: Client) -> dict[str, int]:
    return {row["entity"]: row["acknowledged"] for row in rows(client, "SELECT * FROM exceptions_open")}


def test_an_acknowledgement_holds_until_its_time_or_until_it_is_taken_back(shown: Client) -> None:
    names = ("in hand", "too long ago", "taken back", "once more", "retracted", "nobody")
    for name in names:
        write(shown, state("shipment.status", shipment(name, -HOUR_MS)))
    ids = {name: f"late_delivery/shipment/{name}" for name in names}
    until = rfc3339(now_ms() + HOUR_MS)
    write(
        shown,
        say("acknowledged", ids["in hand"], NOON, until=until, note="carrier called"),
        say("acknowledged", ids["too long ago"], NOON, until=rfc3339(now_ms() - 1)),
        say("unacknowledged", ids["taken back"], NOON + 2),
        say("acknowledged", ids["taken back"], NOON + 1, until=until),
        say("unacknowledged", ids["once more"], NOON + 1),
        say("acknowledged", ids["once more"], NOON + 2, until=until),
        say("acknowledged", ids["retracted"], NOON, until=until),
        say("acknowledged", ids["retracted"], NOON, until=until, retracted=True),
    )
    expected = dict.fromkeys(names, 0) | {"in hand": 1, "once more": 1}
    assert acknowledged(shown) == expected
    sql = "SELECT shipment_id, acknowledged FROM late_shipments"
    assert {row["shipment_id"]: row["acknowledged"] for row in rows(shown, sql)} == expected
    row = only(shown, "SELECT * FROM exceptions_open WHERE entity = 'in hand'")
    assert (row["acknowledged_by"], row["note"]) == ("kim", "carrier called")
    assert row["acknowledged_until"] is not None


def test_published_exceptions_stand_beside_those_that_time_makes_and_are_not_doubled(shown: Client) -> None:
    def said(kind: str, entity: str) -> ExceptionState:
        return ExceptionState(f"{kind}/{entity}", kind, NOON, "Because.")

    write(
        shown,
        state("shipment.status", shipment("S/1", -HOUR_MS)),
        state(
            "exceptions",
            ExceptionSet(
                "shipment/S/1", (said("condition_excursion", "shipment/S/1"), said("late_delivery", "shipment/S/1"))
            ),
        ),
        state("exceptions", ExceptionSet("stock/BER|acme:a|b", (said("stockout", "stock/BER|acme:a|b"),)), 5),
        state("exceptions", ExceptionSet("stock/NBO|acme:1", (said("stockout", "stock/NBO|acme:1"),)), 6),
        state("exceptions", ExceptionSet("stock/NBO|acme:1"), 7),
    )
    found = rows(shown, "SELECT * FROM exceptions_open ORDER BY kind")
    assert [(row["kind"], row["entity_kind"], row["entity"]) for row in found] == [
        ("condition_excursion", "shipment", "S/1"),
        ("late_delivery", "shipment", "S/1"),
        ("stockout", "stock", "BER|acme:a|b"),
    ]
    assert [(row["lane"], row["carrier"], row["site"], row["item"]) for row in found] == [
        ("NLRTM>BER", "MAEU", "", ""),
        ("NLRTM>BER", "MAEU", "", ""),
        ("", "", "BER", "acme:a|b"),
    ]
    late = found[1]
    assert late["opened_at"] == only(shown, "SELECT due_at FROM shipments_now")["due_at"]
    assert re.fullmatch(
        r"Due 20\d\d-\d\d-\d\d \d\d:\d\d UTC and not delivered; the last known status is departed\.", late["detail"]
    )


# On time, dead letters, late records


def test_lines_are_on_time_by_day_and_lane_of_the_shipment_that_brought_them(shown: Client) -> None:
    def delivered(line_id: str, *shipments: str, due: int | None, late: bool = False) -> OrderLineState:
        return line(line_id, "delivered", delivered_at=NOON, due_at=due, late=late, shipments=shipments)

    order = OrderStatus(
        "PO1",
        "delivered",
        supplier="acme",
        lines=(
            delivered("1", "first", "last", due=NOON),
            delivered("2", "last", due=NOON - 1, late=True),
            delivered("3", "last", due=None),
            delivered("4", due=NOON),
            delivered("5", "unheard of", due=NOON - 1, late=True),
            line("6", "shipped", shipments=("last",)),
        ),
    )
    write(
        shown,
        state("order.status", order),
        state("shipment.status", shipment("first", final=True, delivered_at=NOON - DAY_MS, lane="A>B")),
        state("shipment.status", shipment("last", final=True, delivered_at=NOON, lane="C>D")),
    )
    found = rows(shown, "SELECT * FROM on_time_daily ORDER BY lane")
    assert [str(row.pop("day")) for row in found] == ["2026-11-22", "2026-11-22"]
    assert [tuple(row.values()) for row in found] == [
        ("?>?", "acme", 2, 1, 1, 0, 0.5),
        ("C>D", "acme", 3, 1, 1, 1, 0.5),
    ]


def test_dead_letters_are_shown_once_with_their_bytes(store: Client) -> None:
    one = record("shipment.events", b"\xff\xfe", offset=3, key=b"\x00\xff")
    write(store, one)
    write(store, one)
    (row,) = store.query(
        "SELECT * FROM dead_letters", column_formats={"key": "bytes", "value": "bytes"}
    ).named_results()
    assert (row["cause"], row["topic"], row["offset"]) == ("not_json", "shipment.events", 3)
    assert (row["key"], row["value"]) == (b"\x00\xff", b"\xff\xfe")
    assert int(row["arrived_at"].timestamp() * 1_000) == NOON


def test_late_records_are_shown_once(store: Client) -> None:
    late = LateRecord(1, "shipment.events", 2, 9, NOON, "S1", "The period has closed.", milestone({}).value or b"")
    for _ in range(2):
        write(store, record("late.records", encode(late)))
    row = only(store, "SELECT * FROM late_records")
    assert (row["entity"], row["source"], row["event_id"], row["offset"]) == ("S1", "acme", "e1", 9)
