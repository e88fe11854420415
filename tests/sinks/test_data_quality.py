"""Data quality by source against figures worked out here, event by event, from the same events and states."""

import json
import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

import pytest
from clickhouse_connect.driver.client import Client

from schemas.derived import LateRecord, MilestoneState, encode
from schemas.identifiers import findings
from schemas.times import DAY_MS, MINUTE_MS, from_ms, rfc3339, to_ms
from sinks.batch import Batch
from sinks.migrate import store_id
from sinks.rows import Record, rows_of
from sinks.writer import Writer
from tests.sinks.conftest import MakeClient
from tests.sinks.records import event, only, record, rows
from tests.sinks.watched import described, forget_all, now, quiet_store, shipment

SEED: Final = 20_261_122
BAD_GTIN: Final = "4006381333932"
GOOD_GTIN: Final = "4006381333931"
SOURCES: Final = ("acme-erp", "blue-line", "ham-wms")
WINDOWS: Final = (7, 30)
REFRESHED: Final = ("source_quality_worked_out", "source_milestones")
POINTS: Final = {
    "rejects": (500, 100),
    "too_late": (250, 50),
    "findings": (150, 15),
    "told_late": (30, 15),
    "missing": (50, 15),
    "clock_ahead": (100, 10),
    "zone_assumed": (8, 4),
    "restated": (12, 3),
    "retractions": (8, 2),
    "repeats": (2, 1),
}
"""Of each part: points per share, and the most it costs (docs/views.md)."""


@pytest.fixture(scope="module")
def migrated(engine: MakeClient) -> Client:
    """A migrated store, which all tests here share."""
    return quiet_store(engine())


@pytest.fixture
def shown(migrated: Client) -> Client:
    """An empty store that shows epoch 1."""
    forget_all(migrated)
    return migrated


# What is told


def told(topic: str, body: dict[str, Any], appended: int, **more: Any) -> Record:
    """An event that arrives then; recorded `ahead` ms later, and happened `delay` ms before it was recorded."""
    recorded = appended + more.pop("ahead", 0)
    when = {"occurred_at": rfc3339(recorded - more.pop("delay", 0)), "recorded_at": rfc3339(recorded)}
    return event(topic, when | body, appended_at=appended, **more)


def received(event_id: str, appended: int, **more: Any) -> Record:
    """A receipt that arrives then."""
    place = {name: more.pop(name) for name in ("ahead", "delay", "epoch", "offset") if name in more}
    body = {"type": "received", "site": "HAM", "item": GOOD_GTIN, "unit": "EA", "quantity": 1, "event_id": event_id}
    return told("warehouse.events", body | more, appended, **place)


def story(draw: random.Random, count: int, prefix: str, most_days: float = 66) -> list[Record]:
    """Statements of `count` events of all three topics: restated, withdrawn, said again, late, ahead; all shuffled."""
    made: list[Record] = []
    for number in range(count):
        topic = draw.choice(("supplier.events", "shipment.events", "warehouse.events"))
        source = draw.choice(SOURCES)
        first = now() - draw.randrange(MINUTE_MS, round(most_days * DAY_MS))
        body: dict[str, Any] = {"event_id": f"{prefix}{number}", "source": source}
        if topic == "supplier.events":
            line = {"line_id": "1", "item": GOOD_GTIN, "quantity": 1, "unit": "EA"}
            body |= {"type": "order_placed", "order_id": f"PO-{number % 7}", "supplier": "Acme", "lines": [line]}
        elif topic == "shipment.events":
            classifier = draw.choice(("planned", "estimated", "actual", "actual"))
            body |= {"type": "milestone", "milestone": "departed", "classifier": classifier}
            body["shipment_id"] = f"S-{number % 40}"
        else:
            item = draw.choice((GOOD_GTIN, GOOD_GTIN, GOOD_GTIN, BAD_GTIN))
            body |= {"type": "received", "site": "HAM", "item": item, "unit": "EA", "quantity": 1}
        body |= {"zone_assumed": draw.random() < 0.1, "precision": draw.choice(("instant", "instant", "day"))}
        for statement in range(draw.choice((1, 1, 1, 2, 3))):
            gap = draw.choice((0, draw.randrange(DAY_MS), draw.randrange(45 * DAY_MS)))
            appended = min(first + statement * gap, now() - 1)
            ahead = draw.choice((0, 0, -draw.randrange(9999), draw.randrange(20 * MINUTE_MS), 5 * MINUTE_MS))
            delay = draw.choice((0, 1, draw.randrange(DAY_MS), DAY_MS, 2 * DAY_MS, draw.randrange(9 * DAY_MS)))
            if statement and draw.random() < 0.4:
                body["retracted"] = draw.random() < 0.5
            one = told(topic, body, appended, ahead=ahead, delay=delay, partition=number % 3)
            made.append(one)
            if draw.random() < 0.15:
                made.append(one)  # read twice by the sink
            if draw.random() < 0.15:
                again = min(appended + draw.randrange(40 * DAY_MS), now())
                made.append(one._replace(offset=one.offset + 10_000_000, appended_at=again))
    draw.shuffle(made)
    return made


def put(store: Client, made: Sequence[Record]) -> None:
    """Write records as the sink does, findings and all."""
    batch, home = Batch(), store_id(store)
    for one in made:
        batch.add(rows_of(one, home, findings))
    Writer(store).write(batch)


def refresh(store: Client) -> None:
    """Have the store work out now what it works out every few minutes."""
    for view in REFRESHED:
        store.command(f"SYSTEM REFRESH VIEW {view}")
        store.command(f"SYSTEM WAIT VIEW {view}")


# What is to be seen


@dataclass
class Sums:
    """The numbers of one source over some days."""

    numbers: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    delays: list[int] = field(default_factory=list)
    ahead: list[int] = field(default_factory=list)

    def share(self, name: str) -> float | None:
        """The share that a part goes by; None where there is nothing to have a share in."""
        of = {
            "rejects": self.numbers["events"] + self.numbers["rejects"],
            "told_late": self.numbers["happened"],
            "missing": self.numbers["milestones"],
            "restated": self.numbers["told_of"],
            "retractions": self.numbers["told_of"],
        }.get(name, self.numbers["events"])
        return min(self.numbers[name] / of, 1) if of else None

    def lost(self) -> dict[str, float | None]:
        """The points that each part costs."""
        shares = {name: self.share(name) for name in POINTS}
        return {
            name: None if share is None else min(POINTS[name][0] * share, POINTS[name][1])
            for name, share in shares.items()
        }

    def score(self) -> float | None:
        """100 less what is lost."""
        if self.numbers["events"] + self.numbers["rejects"] == 0:
            return None
        return max(100 - sum(points or 0 for points in self.lost().values()), 0)


def day_of(milliseconds: int) -> date:
    """The day (UTC)."""
    return from_ms(milliseconds).date()


def ms(text: str) -> int:
    """The time of RFC 3339 text."""
    return to_ms(datetime.fromisoformat(text))


def expected(made: Iterable[Record]) -> dict[tuple[str, date], Sums]:
    """Per source and day of arrival what its events add up to."""
    places = {(one.epoch, one.topic, one.partition, one.offset): one for one in made}
    by_event: dict[tuple[str, str, str, str], list[tuple[Any, Record, dict[str, Any]]]] = defaultdict(list)
    for place, one in places.items():
        said = json.loads(one.value or b"")
        entity = said.get("order_id") or said.get("shipment_id") or f"{said['site']}|{said['item']}"
        key = (one.topic, entity, said["source"], said["event_id"])
        by_event[key].append(((one.appended_at, one.epoch, one.partition, place[3]), one, said))
    found: dict[tuple[str, date], Sums] = defaultdict(Sums)
    for statements in by_event.values():
        statements.sort(key=lambda each: each[0])
        told_on: set[date] = set()
        restated_on: set[date] = set()
        for index, (_, one, said) in enumerate(statements):
            day = day_of(one.appended_at)
            before = [
                earlier
                for _, earlier, _ in statements[:index]
                if day_of(earlier.appended_at) >= day - timedelta(days=30)
            ]
            count(found[said["source"], day], one, said, before)
            told_on.add(day)
            if before and one.value not in {each.value for each in before} and not said.get("retracted"):
                restated_on.add(day)
        for day in told_on:
            found[statements[0][2]["source"], day].numbers["told_of"] += 1
        for day in restated_on:
            found[statements[0][2]["source"], day].numbers["restated"] += 1
    return found


def count(into: Sums, one: Record, said: dict[str, Any], before: Sequence[Record]) -> None:
    """Count one record, given those of its event that came before."""
    again = one.value in {each.value for each in before}
    ahead = ms(said["recorded_at"]) - one.appended_at
    numbers = into.numbers
    numbers["events"] += 1
    numbers["findings"] += said.get("item") == BAD_GTIN
    numbers["zone_assumed"] += bool(said.get("zone_assumed"))
    numbers["clock_ahead"] += ahead > 5 * MINUTE_MS
    numbers["repeats"] += again
    numbers["retractions"] += bool(said.get("retracted")) and not again
    into.ahead.append(max(ahead, 0))
    if not before and said.get("classifier", "actual") == "actual" and not said.get("retracted"):
        delay = ms(said["recorded_at"]) - ms(said["occurred_at"])
        if said.get("precision") == "day":
            delay -= DAY_MS
        numbers["happened"] += 1
        numbers["told_late"] += delay > DAY_MS
        into.delays.append(max(delay, 0))


def together(days: dict[tuple[str, date], Sums], source: str, today: date, window: int) -> Sums:
    """The last so many days of a source."""
    total = Sums()
    for (of, day), sums in days.items():
        if of == source and today - timedelta(days=window) < day <= today:
            for name, number in sums.numbers.items():
                total.numbers[name] += number
            total.delays += sums.delays
            total.ahead += sums.ahead
    return total


def ranked(values: Iterable[int], percent: int) -> float:
    """The value of rank ceil(q * n), in seconds."""
    ordered = sorted(values)
    return ordered[math.ceil(len(ordered) * percent / 100) - 1] / 1000


def on_one_day(store: Client, look: Callable[[], Any]) -> tuple[date, Any]:
    """What is seen, and the store's day, which was the same before and after."""
    while True:
        before = today(store)
        refresh(store)
        seen = look()
        if today(store) == before:
            return before, seen


def today(store: Client) -> date:
    """The store's day (UTC)."""
    found: date = only(store, "SELECT toDate(now64(3, 'UTC'), 'UTC') AS day")["day"]
    return found


def compare(
    store: Client, days: dict[tuple[str, date], Sums], reached: dict[str, dict[int, tuple[int, int, int]]]
) -> None:
    """Both views say what the days add up to. `reached`: shipments, milestones, missing ones by source and window."""
    at, (windows, daily) = on_one_day(
        store, lambda: (rows(store, "SELECT * FROM source_quality"), rows(store, "SELECT * FROM source_quality_daily"))
    )
    assert {(row["source"], row["days"]) for row in windows} == {
        (source, window) for source in SOURCES for window in WINDOWS
    }
    for row in windows:
        total = together(days, row["source"], at, row["days"])
        told_of = reached.get(row["source"], {}).get(row["days"], (0, 0, 0))
        total.numbers |= dict(zip(("shipments", "milestones", "missing"), told_of, strict=True))
        assert {name: row[name] for name in total.numbers} == total.numbers
        lost = total.lost()
        for name, points in lost.items():
            assert row[f"lost_{name}"] == pytest.approx(points), name
            assert row[f"{name}_share"] == pytest.approx(total.share(name)), name
        assert row["score"] == pytest.approx(total.score())
        assert row["delay_p50_s"] == pytest.approx(ranked(total.delays, 50), rel=0.0101, abs=0.001)
        assert row["delay_p95_s"] == pytest.approx(ranked(total.delays, 95), rel=0.0101, abs=0.001)
        assert row["clock_ahead_p50_s"] == pytest.approx(ranked(total.ahead, 50), rel=0.0101, abs=0.001)
    shown = {(row.pop("source"), row.pop("day")): row for row in daily}
    recent = {key: sums for key, sums in days.items() if key[1] >= at - timedelta(days=31)}
    assert shown.keys() == recent.keys()
    for key, sums in recent.items():
        assert shown[key].pop("score") == pytest.approx(sums.score())
        assert shown[key] == {name: sums.numbers[name] for name in shown[key]}


def test_every_figure_is_what_the_events_add_up_to(shown: Client) -> None:
    made = story(random.Random(SEED), 900, "e")
    put(shown, made[: len(made) // 2])
    put(shown, made[len(made) // 3 :])
    compare(shown, expected(made), {})


def test_what_comes_later_and_what_comes_late_is_worked_out_anew(shown: Client) -> None:
    draw = random.Random(SEED + 1)
    made = story(draw, 300, "e")
    put(shown, made)
    compare(shown, expected(made), {})
    before = rows(shown, "SELECT * FROM source_quality ORDER BY source, days")
    put(shown, made[:200])  # a sink that was killed reads them again
    refresh(shown)
    assert rows(shown, "SELECT * FROM source_quality ORDER BY source, days") == before
    later = story(draw, 60, "e", most_days=0.01)  # more on the same events
    later += story(draw, 60, "e")  # of days that were worked out before, and of days before those
    put(shown, later)
    compare(shown, expected([*made, *later]), {})


def test_what_is_refused_or_too_late_counts_against_who_said_it(shown: Client) -> None:
    made = story(random.Random(SEED + 2), 200, "e", most_days=35)
    days = expected(made)
    kept = now() - 2 * DAY_MS
    dead = [record("warehouse.events", b'{"source": "acme-erp"}', appended_at=kept) for _ in range(4)]
    old = record("warehouse.events", b'{"source": "acme-erp"}', appended_at=now() - 12 * DAY_MS)
    nobody = record("warehouse.events", b"{", appended_at=kept)
    said = received("late", kept, source="ham-wms").value or b""
    late = [
        record("late.records", encode(LateRecord(1, "warehouse.events", 0, place, kept, "HAM|1", "It is late.", said)))
        for place in range(3)
    ]
    put(
        shown,
        [*made, *dead, dead[0], old, nobody, *late, late[0]],
    )
    days["acme-erp", day_of(kept)].numbers["rejects"] += 4
    days["acme-erp", day_of(old.appended_at)].numbers["rejects"] += 1
    days["ham-wms", day_of(kept)].numbers["too_late"] += 3
    compare(shown, days, {})


def test_milestones_that_nobody_reported_count_against_those_who_report_the_shipment(shown: Client) -> None:
    def milestone(source: str, shipment_id: str, days: float, **more: Any) -> Record:
        body = {"type": "milestone", "milestone": "departed", "classifier": "actual", "shipment_id": shipment_id}
        appended = now() - round(days * DAY_MS)
        return told("shipment.events", body | {"source": source, "event_id": f"{shipment_id}/{days}"} | more, appended)

    def reached(shipment_id: str, actual: int, inferred: int, open_: int = 2) -> Record:
        states = [MilestoneState(1, "departed", actual_at=now()) for _ in range(actual)]
        states += [MilestoneState(1, "loaded", planned_at=now(), inferred=True) for _ in range(inferred)]
        states += [MilestoneState(1, "delivered", planned_at=now()) for _ in range(open_)]
        return shipment(shipment_id, milestones=tuple(states))

    made = [
        *[milestone("blue-line", "S1", days) for days in (0.01, 3, 20)],
        milestone("blue-line", "S2", 12),
        milestone("blue-line", "S3", 40),
        milestone("blue-line", "S4", 1, classifier="planned"),
        milestone("blue-line", "S5", 1, retracted=True),
        milestone("blue-line", "nobody knows it", 1),
        milestone("acme-erp", "S1", 9),
        received("r", now() - DAY_MS, source="ham-wms"),
    ]
    states = [reached("S1", 3, 1), reached("S2", 2, 2), *(reached(f"S{number}", 1, 9) for number in (3, 4, 5))]
    put(shown, [*made, *states, states[0]])
    of_acme = {7: (0, 0, 0), 30: (1, 4, 1)}
    _, seen = on_one_day(shown, lambda: rows(shown, "SELECT * FROM source_quality"))
    found = {(row["source"], row["days"]): row for row in seen}
    for window, expected_ in {7: (1, 4, 1), 30: (2, 8, 3)}.items():
        row = found["blue-line", window]
        assert (row["shipments"], row["milestones"], row["missing"]) == expected_
        assert row["missing_share"] == pytest.approx(expected_[2] / expected_[1])
        assert row["lost_missing"] == pytest.approx(min(50 * expected_[2] / expected_[1], 15))
        row = found["acme-erp", window]
        assert (row["shipments"], row["milestones"], row["missing"]) == of_acme[window]
        row = found["ham-wms", window]
        assert (row["shipments"], row["missing_share"], row["lost_missing"]) == (0, None, None)


def test_a_source_of_which_nothing_came_has_no_score_and_one_that_is_only_refused_has_none_left(shown: Client) -> None:
    put(
        shown,
        [
            described("source_described", describes="quiet", name="Quiet"),
            received("old", now() - 45 * DAY_MS, source="gone"),
            record("warehouse.events", b'{"source": "broken"}', appended_at=now() - DAY_MS),
            received("fine", now() - DAY_MS, source="fine"),
            received("opening/2026-01-01", now() - DAY_MS, source="quayside", epoch=0),
        ],
    )
    refresh(shown)
    found = {row["source"]: row for row in rows(shown, "SELECT * FROM source_quality WHERE days = 7")}
    assert {name: row["score"] for name, row in found.items() if name != "quayside"} == {
        "quiet": None,
        "gone": None,
        "broken": 0,
        "fine": 100,
    }
    assert found["broken"]["events"] == found["quiet"]["events"] == 0
    assert all(found["quiet"][f"lost_{name}"] is None for name in POINTS)
    assert found["quayside"]["events"] == 0  # what retention makes is nobody's report


def test_a_score_is_a_hundred_less_what_the_parts_cost(shown: Client) -> None:
    made = [received(f"e{number}", now() - DAY_MS, delay=2 * DAY_MS if number < 2 else 0) for number in range(10)]
    made[9] = received("e9", now() - DAY_MS, item=BAD_GTIN, ahead=6 * MINUTE_MS)
    put(
        shown,
        [
            *made,
            received("e8", now() - DAY_MS + 1, quantity=2),
            record("warehouse.events", b'{"source": "acme"}', appended_at=now() - DAY_MS),
        ],
    )
    refresh(shown)
    row = only(shown, "SELECT * FROM source_quality WHERE days = 30")
    assert row["lost_rejects"] == pytest.approx(500 / 12)
    assert row["lost_findings"] == pytest.approx(150 / 11)
    assert row["lost_told_late"] == pytest.approx(30 * 2 / 10)
    assert row["lost_clock_ahead"] == pytest.approx(100 / 11)
    assert row["lost_restated"] == pytest.approx(12 / 10)
    assert row["score"] == pytest.approx(100 - 500 / 12 - 150 / 11 - 6 - 100 / 11 - 1.2)
    parts = [name for name in row if name.startswith("lost_")]
    assert sorted(parts) == sorted(f"lost_{name}" for name in POINTS)
    assert row["score"] == pytest.approx(100 - sum(row[name] or 0 for name in parts))


def test_of_a_day_with_very_many_records_a_sample_of_the_events_is_looked_at(shown: Client) -> None:
    shown.command(
        """
        INSERT INTO warehouse_events
            (epoch, partition, offset, appended_at, site, item, source, event_id, type, occurred_at, recorded_at,
            zone_assumed)
        SELECT
            1, 0, number, {at:DateTime64(3, 'UTC')}, 'HAM', 'acme:1', 'busy', toString(number % 900000), 'received',
            {at:DateTime64(3, 'UTC')}, {at:DateTime64(3, 'UTC')}, number % 900000 % 4 = 0
        FROM numbers(1200000)
        """,
        parameters={"at": from_ms(now() - DAY_MS)},
    )
    refresh(shown)
    row = only(shown, "SELECT * FROM source_quality WHERE days = 7")
    assert row["events"] == pytest.approx(1_200_000, rel=0.01)
    assert row["events"] % 2 == 0  # one event in two
    assert row["zone_assumed_share"] == pytest.approx(0.25, rel=0.01)
    assert row["repeats_share"] == pytest.approx(0.25, rel=0.01)
    assert row["told_of"] == pytest.approx(900_000, rel=0.01)
