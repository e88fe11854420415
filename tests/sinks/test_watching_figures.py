"""The watching views against figures worked out here, event by event, from the same events and states."""

import itertools
import json
import math
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import fmean
from typing import Any, Final

import pytest
from clickhouse_connect.driver.client import Client

from schemas.derived import LateRecord, OrderLineState, OrderStatus, encode
from schemas.reference import lane
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS, from_ms, rfc3339, to_ms
from schemas.versions import event_version
from sinks.rows import Record
from tests.sinks.conftest import MakeClient
from tests.sinks.records import only, record, rows, state, write
from tests.sinks.watched import (
    ago,
    at,
    described,
    exceptions,
    forget_all,
    moved,
    now,
    position,
    quiet_store,
    refresh,
    said,
    shipment,
    transit,
)

SEED: Final = 20_261_122


@pytest.fixture(scope="module")
def migrated(engine: MakeClient) -> Client:
    """A migrated store, which all tests here share."""
    return quiet_store(engine())


@pytest.fixture
def shown(migrated: Client) -> Client:
    """An empty store that shows epoch 1."""
    forget_all(migrated)
    return migrated


def ranked(values: Iterable[float], percent: int) -> float:
    """The value of rank ceil(q * n)."""
    ordered = sorted(values)
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


def day_of(milliseconds: int) -> date:
    """The day (UTC)."""
    return from_ms(milliseconds).date()


# Movements


@dataclass(frozen=True)
class Move:
    """A warehouse event, as it counts."""

    kind: str
    site: str
    item: str
    quantity: int
    at: int
    direction: str
    receipt: str


KINDS: Final = (
    "received",
    "put_away",
    "put_away",
    "picked",
    "packed",
    "shipped",
    "counted",
    "returned",
    "scrapped",
    "moved",
)


def movements(count: int) -> list[Record]:
    """Statements of `count` events of 40 days: some corrected, withdrawn, or said again; all shuffled."""
    draw = random.Random(SEED)
    made: list[Record] = []
    for number in range(count):
        for statement in range(draw.choice((1, 1, 1, 2, 3))):
            kind = draw.choice(KINDS)
            # Minutes behind the hour, so that the hour and the edges of windows are never a matter of milliseconds.
            hours = draw.randrange(20, 40 * 24) + draw.randrange(1, 59) / 60 + 0.001
            body: dict[str, Any] = {"site": f"SITE{number % 2}", "item": f"acme:{number % 3}", "retracted": False}
            if kind in {"received", "put_away"}:
                lot = f"L{draw.randrange(20)}"
                body |= draw.choice(
                    ({"lot": lot}, {"references": {"shipment_id": lot.replace("L", "S")}, "lot": lot}, {})
                )
            if kind == "moved":
                body["direction"] = draw.choice(("in", "out"))
            if statement:
                body["retracted"] = draw.random() < 0.4
            one = moved(
                f"e{number}", kind, hours, draw.randrange(1, 50), arrived=40 - number / 1000 - statement, **body
            )
            made += [one, one] if draw.random() < 0.2 else [one]
    for number in range(24):
        about = {"site": f"SITE{number % 2}", "lot": f"D{number}", "retracted": False}
        hours = 300 + number * 3.01
        made += [
            moved(f"d{number}", "received", hours, 10, **about),
            moved(f"d{number}/1", "put_away", hours - 1, 4, **about),
            moved(f"d{number}/2", "put_away", hours - 2 - number, 6 if number % 3 else 5, **about),
            moved(f"d{number}/2", "put_away", hours - 1.5 - number, 6 if number % 4 else 5, arrived=9, **about),
        ]
    draw.shuffle(made)
    return made


def counting(statements: Sequence[Record]) -> list[Move]:
    """Of each event the statement that counts."""
    greatest: dict[str, tuple[Any, dict[str, Any]]] = {}
    for one in statements:
        told = json.loads(one.value or b"")
        recorded = ms(told["recorded_at"])
        version = event_version(recorded, one.value or b"", retracted=told["retracted"])
        if told["event_id"] not in greatest or version > greatest[told["event_id"]][0]:
            greatest[told["event_id"]] = version, told
    return [
        Move(
            kind=told["type"],
            site=told["site"],
            item=told["item"],
            quantity=int(told["quantity"]) * 1000,
            at=ms(told["occurred_at"]),
            direction=told.get("direction", ""),
            receipt=told.get("references", {}).get("shipment_id") or told.get("lot") or "",
        )
        for _, told in greatest.values()
        if not told["retracted"]
    ]


def ms(text: str) -> int:
    """The time of RFC 3339 text."""
    return to_ms(datetime.fromisoformat(text))


@pytest.fixture
def moves(shown: Client) -> list[Move]:
    """Movements in the store, in several unmerged parts, as they count."""
    made = movements(400)
    write(shown, *made[: len(made) // 2])
    write(shown, *made[len(made) // 3 :])
    return counting(made)


def test_hours_of_a_site_are_what_its_events_add_up_to(shown: Client, moves: list[Move]) -> None:
    expected: dict[tuple[str, Any], dict[str, Any]] = {}
    for one in moves:
        if one.at > now() - 35 * DAY_MS:
            hour = expected.setdefault(
                (one.site, at(one.at // HOUR_MS * HOUR_MS)),
                dict.fromkeys(("received", "put_away", "picked", "packed", "shipped", "counted"), 0)
                | {"quantity_in": Decimal(0), "quantity_out": Decimal(0)},
            )
            if one.kind in hour:
                hour[one.kind] += 1
            if one.kind in {"received", "returned"} or one.direction == "in":
                hour["quantity_in"] += one.quantity / Decimal(1000)
            if one.kind in {"shipped", "scrapped"} or one.direction == "out":
                hour["quantity_out"] += one.quantity / Decimal(1000)
    found = {(row.pop("site"), row.pop("hour")): row for row in rows(shown, "SELECT * FROM site_hourly")}
    assert len(found) > 100
    assert found == expected


def test_cover_is_stock_over_what_28_days_shipped(shown: Client, moves: list[Move]) -> None:
    places = list(itertools.product(("SITE0", "SITE1"), ("acme:0", "acme:1", "acme:2")))
    write(shown, *(position(70_000, site=site, item=item) for site, item in places))
    write(shown, position(70_000, site="SITE9", item="acme:0"), position(5, site="SITE8", item="acme:0", unit="box"))
    shipped: dict[tuple[str, str], int] = defaultdict(int)
    for one in moves:
        if one.kind == "shipped" and one.at > now() - 28 * DAY_MS:
            shipped[one.site, one.item] += one.quantity
    found = {(row["site"], row["item"]): row for row in rows(shown, "SELECT * FROM stock_cover")}
    assert len(found) == len(places) + 2
    for place in places:
        assert found[place]["shipped_per_day"] == pytest.approx(shipped[place] / 28_000)
        assert found[place]["days_of_supply"] == pytest.approx(70 / (shipped[place] / 28_000))
    still = found["SITE9", "acme:0"]
    assert (still["shipped_per_day"], still["days_of_supply"], still["reorder_point"]) == (0, None, None)
    assert still["on_hand"] == still["available"] == Decimal(70)


def test_backlog_is_what_was_received_and_not_put_away(shown: Client, moves: list[Move]) -> None:
    write(shown, described("site_described", site="SITE0", daily_capacity="120.5"))
    write(shown, *(position(1, site=site, put_away=1) for site in ("SITE0", "SITE1")), position(1, site="SITE2"))
    write(shown, moved("elsewhere", "received", 5, 1, site="SITE2", lot="L1"))
    docks: dict[tuple[str, str, str], list[Move]] = defaultdict(list)
    for one in moves:
        if one.kind in {"received", "put_away"} and one.receipt and one.at > now() - 28 * DAY_MS:
            docks[one.site, one.item, one.receipt].append(one)
    expected: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for (site, _, _), told in docks.items():
        rest = sum(one.quantity if one.kind == "received" else -one.quantity for one in told)
        if rest > 0:
            expected[site].append((rest, min(one.at for one in told if one.kind == "received")))
    found = {row["site"]: row for row in rows(shown, "SELECT * FROM site_backlog")}
    assert set(found) == {"SITE0", "SITE1"}
    for site, row in found.items():
        assert row["open_receipts"] == len(expected[site]) > 0
        assert row["backlog_quantity"] == sum(rest for rest, _ in expected[site]) / Decimal(1000)
        assert row["oldest_since"] == at(min(since for _, since in expected[site]))
    assert (found["SITE0"]["capacity_per_day"], found["SITE1"]["capacity_per_day"]) == (Decimal("120.5"), None)


def test_dock_to_stock_by_day_is_from_first_in_to_last_put_away(shown: Client, moves: list[Move]) -> None:
    docks: dict[tuple[str, str, str], list[Move]] = defaultdict(list)
    for one in moves:
        if one.kind in {"received", "put_away"} and one.receipt:
            docks[one.site, one.item, one.receipt].append(one)
    expected: dict[tuple[str, date], list[int]] = defaultdict(list)
    for (site, _, _), told in docks.items():
        came = [one for one in told if one.kind == "received"]
        put = [one for one in told if one.kind == "put_away"]
        if came and put and sum(one.quantity for one in put) >= sum(one.quantity for one in came):
            took = max(one.at for one in put) - min(one.at for one in came)
            if took >= 0:
                expected[site, day_of(max(one.at for one in put))].append(took)
    found = {
        (row["route"], row["day"]): row
        for row in rows(shown, "SELECT * FROM lead_time_daily WHERE measure = 'dock_to_stock'")
    }
    assert found.keys() == expected.keys()
    assert len(found) > 3, len(found)
    assert_daily(found, expected)


def assert_daily(found: dict[Any, dict[str, Any]], expected: dict[Any, list[int]]) -> None:
    """The figures of each day are those of its durations (ms)."""
    for key, took in expected.items():
        row = found[key]
        assert row["n"] == len(took)
        assert row["mean_days"] == pytest.approx(fmean(took) / DAY_MS)
        assert row["p50_days"] == pytest.approx(ranked(took, 50) / DAY_MS)
        assert row["p90_days"] == pytest.approx(ranked(took, 90) / DAY_MS)


# Lead times


def delivered(number: int, when: int, took: int, **more: Any) -> Record:
    """The state of a shipment that was delivered then, after so many ms."""
    more = {"final": True, "status": "delivered", "delivered_at": when, "departed_at": when - took} | more
    return shipment(str(more.pop("shipment_id", f"D{number}")), 10, **more)


def test_transits_by_day_are_those_of_the_shipments_delivered_that_day(shown: Client) -> None:
    draw = random.Random(SEED)
    expected: dict[tuple[str, str, date], list[int]] = defaultdict(list)
    made = []
    for number in range(300):
        when, took = ago(draw.randrange(24 * 6)), draw.randrange(-HOUR_MS, 9 * DAY_MS)
        route, carrier = draw.choice(("A>B", "B>C")), draw.choice(("MAEU", None))
        made.append(delivered(number, when, took, lane=route, carrier=carrier))
        if took >= 0:
            expected["transit", route, day_of(when)].append(took)
            if carrier:
                expected["carrier_transit", f"{carrier}|{route}", day_of(when)].append(took)
    write(shown, *made, shipment("under way", departed_at=ago(9)))
    found = {(row["measure"], row["route"], row["day"]): row for row in rows(shown, "SELECT * FROM lead_time_daily")}
    assert found.keys() == expected.keys()
    assert_daily(found, expected)


def chart(values: dict[date, list[int]]) -> dict[date, tuple[float, float, float, float, str]]:
    """XmR on the days' mean logarithms: value, centre, lower and upper limit in days, and the rule."""
    last = max(values)
    days = [day for day in sorted(values) if day > last - timedelta(days=90)]
    logs = [fmean(math.log(max(took, 1000) / DAY_MS) for took in values[day]) for day in days]
    centre = fmean(logs)
    reach = 2.66 * fmean(abs(a - b) for a, b in itertools.pairwise(logs))
    told = {}
    for place, (day, value) in enumerate(zip(days, logs, strict=True)):
        nine = logs[max(place - 8, 0) : place + 1]
        rule = ""
        if len(nine) == 9 and (all(x > centre for x in nine) or all(x < centre for x in nine)):
            rule = "run_of_nine"
        if abs(value - centre) > reach:
            rule = "beyond_limit"
        told[day] = (math.exp(value), math.exp(centre), math.exp(centre - reach), math.exp(centre + reach), rule)
    return told


def series(route: str, daily: Sequence[Sequence[float]], ended: int = 0) -> tuple[list[Record], dict[date, list[int]]]:
    """Shipments that were delivered on so many days in a row (the last `ended` days ago) after so many days each."""
    made, values = [], {}
    for back, durations in enumerate(reversed(daily)):
        when = now() // DAY_MS * DAY_MS - (back + ended) * DAY_MS + 1
        values[day_of(when)] = [round(days * DAY_MS) for days in durations]
        made += [
            delivered(number, when, took, lane=route, carrier=None, shipment_id=f"{route}/{back}/{number}")
            for number, took in enumerate(values[day_of(when)])
        ]
    return made, values


def named(route: str, daily: Sequence[Sequence[float]], ended: int = 0) -> dict[date, list[int]]:
    """The durations of `series`."""
    return series(route, daily, ended)[1]


CHARTS: Final[dict[str, tuple[list[list[float]], int]]] = {
    "CALM>SEA": ([[5.0, 5.4], [5.2], [4.9]] * 10, 0),
    "SAME>SAME": ([[7.0]] * 30, 0),
    "JUMP>UP": ([*([[5.0], [5.3], [4.8]] * 8), [19.0]], 0),
    "STEP>UP": ([*([[5.0], [5.3]] * 12), *([[5.6], [5.7]] * 5)], 0),
    "OLD>STEP": ([*([[5.0], [5.3]] * 12), *([[5.6], [5.7]] * 5)], 29),
    "ZERO>DAYS": ([[5.0], [0.0], [4.0]] * 5, 0),
    "LONG>AGO": ([*([[50.0]] * 9), *([[5.0], [5.2]] * 45)], 100),
    "FEW>DAYS": ([[1.0], [9.0]] * 4, 0),
}


def shown_charts(store: Client) -> dict[str, dict[date, tuple[float, float, float, float, str]]]:
    """What is to be seen in a store with all of CHARTS."""
    expected = {}
    for route, (daily, ended) in CHARTS.items():
        made, values = series(route, daily, ended)
        write(store, *made)
        if len(values) >= 10:
            expected[route] = chart(values)
    return expected


def test_control_charts_are_individuals_and_moving_ranges_of_logarithms(shown: Client) -> None:
    expected = shown_charts(shown)
    found: dict[str, dict[date, dict[str, Any]]] = defaultdict(dict)
    for row in rows(shown, "SELECT * FROM lead_time_control WHERE measure = 'transit'"):
        found[row["route"]][row["day"]] = row
    assert found.keys() == expected.keys()
    for route, told in expected.items():
        assert found[route].keys() == told.keys()
        for day, (*figures, rule) in told.items():
            row = found[route][day]
            assert [row[f"{name}_days"] for name in ("value", "centre", "lower", "upper")] == pytest.approx(figures)
            assert row["rule"] == ("" if route == "SAME>SAME" else rule), (route, day)
    seen = {row["rule"] for days in found.values() for row in days.values()}
    assert seen == {"", "beyond_limit", "run_of_nine"}


def test_a_shift_is_open_while_the_last_day_breaks_a_rule(shown: Client) -> None:
    expected = shown_charts(shown)
    assert exceptions(shown, "lead_time_shift") == {}
    refresh(shown)
    found = exceptions(shown, "lead_time_shift")
    assert set(found) == {"transit|JUMP>UP", "transit|STEP>UP"}
    for entity, one in found.items():
        days = expected[entity.removeprefix("transit|")]
        since = None
        for day in sorted(days, reverse=True):
            if not days[day][4]:
                break
            since = day
        assert one["opened_at"].date() == since
        assert (one["entity_kind"], one["lane"]) == ("route", entity.removeprefix("transit|"))
    assert "outside of the usual" in found["transit|JUMP>UP"]["detail"]
    assert "nine times in a row" in found["transit|STEP>UP"]["detail"]


# Suppliers


def order_line(draw: random.Random, number: int) -> OrderLineState:
    """Any line."""
    status = draw.choice(("placed", "delivered", "delivered", "closed", "cancelled", "partly_delivered"))
    promised = draw.choice((None, ago(draw.randrange(-100, 24 * 99)), ago(draw.randrange(-100, 24 * 99))))
    came = ago(draw.randrange(24 * 99)) if status == "delivered" else None
    late = came is not None and promised is not None and came > promised
    return OrderLineState(
        str(number),
        status,
        f"acme:{draw.randrange(3)}",
        "pack",
        10_000,
        delivered=draw.choice((10_000, 12_000)) if came else draw.choice((0, 4_000)),
        ordered_at=draw.choice((None, ago(24 * 120 + draw.randrange(99)))),
        promised_at=promised,
        due_at=promised,
        delivered_at=came,
        late=late,
        late_ms=came - promised if late and came and promised else 0,
    )


def test_suppliers_are_judged_by_their_lines(shown: Client) -> None:
    draw = random.Random(SEED)
    lines = [(draw.choice(("acme", "bolt")), order_line(draw, number)) for number in range(400)]
    write(
        shown,
        *(
            state("order.status", OrderStatus(f"O{number}", "placed", supplier=supplier, lines=(line,)))
            for number, (supplier, line) in enumerate(lines)
        ),
    )
    days: dict[tuple[str, date], list[OrderLineState]] = defaultdict(list)
    for supplier, line in lines:
        over = line.due_at is not None and line.due_at < now()
        if line.delivered_at is not None:
            days[supplier, day_of(line.delivered_at)].append(line)
        elif line.due_at is not None and over and line.status != "cancelled":
            days[supplier, day_of(line.due_at)].append(line)
    found = {(row["supplier"], row["day"]): row for row in rows(shown, "SELECT * FROM supplier_daily")}
    assert found.keys() == days.keys()
    for key, judged in days.items():
        row = found[key]
        kept = [one for one in judged if one.delivered_at and one.due_at and one.delivered_at <= one.due_at]
        assert (row["lines"], row["on_time"], row["on_time_in_full"]) == (len(judged), len(kept), len(kept))
        assert row["in_full"] == sum(one.delivered_at is not None for one in judged)
        assert row["no_promise"] == sum(one.due_at is None for one in judged)
        for name, pairs in (
            ("promised_days_mean", [(one.ordered_at, one.promised_at) for one in judged]),
            ("actual_days_mean", [(one.ordered_at, one.delivered_at) for one in judged]),
        ):
            took = [(end - begin) / DAY_MS for begin, end in pairs if begin is not None and end is not None]
            assert row[name] == (pytest.approx(fmean(took)) if took else None)
        late = [
            (line.late_ms if line.late else now() - (line.promised_at or 0)) / DAY_MS
            for line in judged
            if line.late or (line.delivered_at is None and line.status != "closed")
        ]
        assert row["late_days_mean"] == (pytest.approx(fmean(late), abs=0.01) if late else None)
    for row in rows(shown, "SELECT * FROM supplier_now"):
        own = [line for supplier, line in lines if supplier == row["supplier"]]
        recent = [
            line
            for (supplier, day), judged in days.items()
            if supplier == row["supplier"] and day > day_of(now()) - timedelta(days=90)
            for line in judged
        ]
        promised = [line for line in recent if line.due_at is not None]
        kept = [line for line in promised if line.delivered_at and line.due_at and line.delivered_at <= line.due_at]
        assert row["lines_90d"] == len(recent)
        assert row["otif_share_90d"] == pytest.approx(len(kept) / len(promised))
        assert row["quantity_mismatches"] == sum(
            line.status in {"delivered", "closed"} and line.delivered != line.ordered for line in recent
        )
        still = [line for line in own if line.status in {"placed", "partly_delivered"}]
        assert row["open_lines"] == len(still)
        assert row["late_lines"] == sum(line.due_at is not None and line.due_at < now() for line in still)


def test_a_supplier_without_promises_has_no_share(shown: Client) -> None:
    line = OrderLineState("1", "delivered", "acme:1", "pack", 10, delivered=10, delivered_at=ago(1))
    write(shown, state("order.status", OrderStatus("O1", "delivered", supplier="acme", lines=(line,))))
    assert only(shown, "SELECT lines_90d, otif_share_90d FROM supplier_now") == {"lines_90d": 1, "otif_share_90d": None}


# Lanes and sites


def test_lanes_have_their_ends_their_figures_and_their_promise(shown: Client) -> None:
    write(
        shown,
        described(
            "site_described", site="NLRTM", name="Rotterdam", latitude="51.95", longitude=4.14, zone="Europe/Paris"
        ),
        described("site_described", site="HUB", attributes={"country": "DE"}),
        described("lane_described", origin="NLRTM", destination="DEBER", transit_promise="36"),
        transit(9, 4 * DAY_MS),
        shipment("late", -1),
        shipment("in time", 200),
        shipment("risky", 10, departed_at=ago(85)),
        shipment("done", -1, final=True),
        shipment("nowhere", 10, lane=lane("NLRTM", None)),
        shipment("done too", 10, lane="A>B", final=True),
    )
    found = {row.pop("lane"): row for row in rows(shown, "SELECT * FROM lanes_now")}
    assert found["NLRTM>DEBER"] == {
        "origin": "NLRTM",
        "destination": "DEBER",
        "origin_latitude": 51.95,
        "origin_longitude": 4.14,
        "destination_latitude": None,
        "destination_longitude": None,
        "open": 3,
        "late": 1,
        "at_risk": 1,
        "late_share": pytest.approx(1 / 3),
        "p50_days": 2.0,
        "p90_days": 4.0,
        "promised_days": 1.5,
    }
    assert (found["NLRTM>?"]["open"], found["NLRTM>?"]["destination"], found["NLRTM>?"]["p50_days"]) == (1, "?", None)
    assert (found["A>B"]["open"], found["A>B"]["late_share"]) == (0, None)
    sites = {row.pop("site"): row for row in rows(shown, "SELECT * FROM site_capacity")}
    assert sites["NLRTM"] == {
        "name": "Rotterdam",
        "country": "NL",
        "latitude": 51.95,
        "longitude": 4.14,
        "time_zone": "Europe/Paris",
        "capacity_per_day": None,
    }
    assert (sites["HUB"]["country"], sites["HUB"]["latitude"]) == ("DE", None)


def test_the_latest_description_counts_and_a_withdrawn_one_does_not(shown: Client) -> None:
    write(
        shown,
        described("site_described", 90, site="BER", name="old", event_id="1"),
        described("site_described", 80, site="BER", name="new", event_id="2"),
        described("site_described", 70, site="BER", name="wrong", event_id="3"),
        described("site_described", 60, site="BER", name="wrong", event_id="3", retracted=True),
    )
    assert only(shown, "SELECT site, name FROM site_capacity") == {"site": "BER", "name": "new"}


# Sources and freshness


def test_the_last_day_of_a_source_in_numbers(shown: Client) -> None:
    first = moved("a", "received", 3, 1, arrived=2)
    write(
        shown,
        first,
        first,
        first._replace(offset=first.offset + 1_000_000, appended_at=ago(1.5)),
        moved("a", "received", 3, 2, arrived=1),
        moved("b", "received", 10, 1, arrived=9, retracted=True, zone_assumed=True),
        moved("c", "received", 70, 1, arrived=50),
        moved("c", "received", 70, 9, arrived=4),
        moved("d", "received", 30, 1, arrived=25),
        moved("ahead", "received", 8, 1, recorded_at=rfc3339(ago(8) + 2 * MINUTE_MS)),
        moved("not ahead", "received", 7, 1, recorded_at=rfc3339(ago(7) + MINUTE_MS)),
        record("warehouse.events", b'{"source": "acme"', appended_at=ago(5)),
        record("warehouse.events", b'{"source": "acme"}', appended_at=ago(5)),
        record("warehouse.events", b'{"source": "acme"}', appended_at=ago(25)),
        record("late.records", late(first, ago(6))),
        record("late.records", late(first, ago(26))),
        said(
            "shipment.events",
            -9,
            {
                "type": "milestone",
                "milestone": "arrived",
                "classifier": "planned",
                "shipment_id": "S1",
                "event_id": "p",
            },
            arrived=3,
        ),
    )
    assert only(shown, "SELECT * EXCEPT last_arrived_at FROM source_health") == {
        "source": "acme",
        "usual_gap_s": None,
        "silent_since": None,
        "events_24h": 8,
        "dead_24h": 1,
        "late_24h": 1,
        "repeats_24h": 1,
        "corrections_24h": 2,
        "findings_24h": 0,
        "zone_assumed_24h": 1,
        # a: 1 hour; ahead and not ahead: at once. Plans, corrections and what is withdrawn tell no delay.
        "reporting_delay_p50_s": 0.0,
        "reporting_delay_p95_s": 3600.0,
        "clock_ahead_24h": 1,
    }
    assert only(shown, "SELECT last_arrived_at FROM source_health")["last_arrived_at"] == at(ago(1))


def late(of: Record, when: int) -> bytes:
    """A late record of that event, at a place of its own."""
    return encode(LateRecord(1, "warehouse.events", 0, when, when, "BER|acme:1", "It came too late.", of.value or b""))


def test_freshness_is_the_age_of_what_came_last(shown: Client) -> None:
    empty = only(shown, "SELECT * FROM freshness_now")
    assert empty == {"newest_event_at": None, "age_s": None, "newest_state_at": None, "state_age_s": None}
    write(
        shown,
        moved("a", "received", 3, 1, arrived=2),
        moved("b", "received", 9, 1, arrived=1),
        described("site_described", 0.5, site="BER"),
    )
    before = only(shown, "SELECT * FROM freshness_now")
    assert (before["newest_event_at"], before["newest_state_at"]) == (at(ago(1)), None)
    assert 3600 <= before["age_s"] < 3600 + 600
    write(shown, position(1))
    topics = {row["topic"]: row for row in rows(shown, "SELECT * FROM topic_freshness")}
    assert len(topics) == 12
    assert {name for name, row in topics.items() if row["newest_at"] is not None} == {
        "warehouse.events",
        "reference.events",
        "stock.positions",
    }
    assert all((row["age_s"] is None) == (row["newest_at"] is None) for row in topics.values())
    assert 0 <= only(shown, "SELECT state_age_s FROM freshness_now")["state_age_s"] < 600
