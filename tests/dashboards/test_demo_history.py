"""All dashboards and alert rules over the demo's history, and their figures against figures computed in Python."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from dashboards import build
from dashboards.alerts import AlertSettings, rule_groups
from dashboards.checking import Answer, Ask, Report, check
from dashboards.macros import View, expand
from dashboards.queries import load
from dashboards.rules import RULES
from dashboards.thresholds import shipped
from deploy.dashboard_check import asking
from deploy.demo_history import History, demo_history
from schemas.times import DAY_MS, MINUTE_MS
from schemas.wire import Rejection, read
from tests.dashboards.figures import FACTS, Figures, figures, rank

MAY_BE_EMPTY = {
    "One shipment / Corrections",
    "One shipment / Sensor readings",
    "Pipeline / Too late, by source and reason",
    "Shipments and delays / Became late in the last 15 minutes",
    "Stock and warehouse / Negative stock",
}
"""What nothing has happened of in the demo, as it should be; the panels say so."""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    with demo_history(tmp_path_factory.mktemp("demo") / "store", now_ms()) as filled:
        yield filled


@pytest.fixture(scope="module")
def ask(history: History) -> Iterator[Ask]:
    with asking(history.store) as asked:
        yield asked


@pytest.fixture(scope="module")
def truth(history: History) -> Figures:
    return figures(history.emissions)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _one(ask: Ask, name: str, days: int = 30) -> Any:
    now = now_ms()
    ((value,),) = ask(expand(load(name).sql, View(now - days * DAY_MS, now))).rows
    return value


def _alert(ask: Ask, slug: str) -> dict[str, float]:
    """The rows of an alert rule as Grafana gets them: its label, its value."""
    rule = next(rule for rule in RULES if rule.slug == slug)
    answer: Answer = ask(shipped().fill(load(rule.query).sql))
    at = list(answer.columns).index(rule.label)
    (number,) = (place for place, kind in enumerate(answer.columns.values()) if kind == "Float64")
    return {row[at]: row[number] for row in answer.rows}


def _above(found: Counter[str], names: set[str], count: int) -> dict[str, float]:
    return {name: found[name] if found[name] > count else 0 for name in names}


@pytest.fixture(scope="module")
def report(ask: Ask) -> Report:
    boards = [board for folder in build.boards().values() for board in folder]
    return check(ask, boards, [rule_groups(AlertSettings())], now_ms())


def test_everything_runs_and_what_is_empty_says_why(report: Report) -> None:
    assert report.errors == ()
    assert (report.dashboards, report.rules) == (7, 12)
    assert {empty.panel for empty in report.empty_panels} <= MAY_BE_EMPTY
    assert all(empty.reason for empty in report.empty_panels)


def test_late_and_open_shipments_are_those_of_the_events(ask: Ask, truth: Figures) -> None:
    before = truth.late(now_ms()).total()
    late = int(_one(ask, "late_now"))
    assert before <= late <= truth.late(now_ms()).total()
    assert late > 0
    assert int(_one(ask, "shipments_open")) == len(truth.moving)


def test_everything_that_is_open_is_open_since_a_time_that_can_be(ask: Ask, history: History) -> None:
    first = min(told.at_ms for told in history.emissions)
    since = ask("SELECT exception_id, toUnixTimestamp64Milli(opened_at) FROM exceptions_open").rows
    assert since
    assert [name for name, at in since if int(at) < first] == []


def test_overdue_shipments_are_those_of_the_events(ask: Ask, truth: Figures) -> None:
    before = truth.overdue(now_ms()).total()
    assert before <= int(_one(ask, "overdue_shipments")) <= truth.overdue(now_ms()).total()
    assert before > 0


def test_stock_is_what_the_movements_add_up_to(ask: Ask, truth: Figures) -> None:
    shown = {(site, item): float(on_hand) for site, item, on_hand in ask(_STOCK).rows}

    assert shown == {position: on_hand / 1000 for position, on_hand in truth.on_hand.items()}
    assert int(_one(ask, "positions_negative")) == sum(on_hand < 0 for on_hand in truth.on_hand.values())


_STOCK = "SELECT site, item, on_hand FROM stock_cover WHERE (site, item) IN (SELECT site, item FROM warehouse_events)"


def test_on_time_and_in_full_are_those_of_the_events(ask: Ask, truth: Figures) -> None:
    assert _one(ask, "on_time_share") == pytest.approx(truth.on_time_share())
    before = truth.in_full_share(now_ms())
    assert truth.in_full_share(now_ms()) - 1e-9 <= _one(ask, "otif_share") <= before + 1e-9


def test_lead_time_quantiles_are_those_of_the_events_within_one_per_cent(ask: Ask, truth: Figures) -> None:
    told = sorted(took for lane in truth.transits.values() for _, took in lane)
    view = View(0, now_ms(), chosen={"measure": "transit"})
    assert int(ask(expand(load("lead_count").sql, view)).rows[0][0]) == len(told)
    for name, q in (("lead_p50", 0.5), ("lead_p90", 0.9), ("lead_p95", 0.95)):
        ((days,),) = ask(expand(load(name).sql, view)).rows
        assert days * DAY_MS == pytest.approx(told[rank(q, len(told))], rel=0.011)


@pytest.mark.parametrize(("slug", "severity"), [("late-by-lane", "page"), ("late-by-lane-warning", "warning")])
def test_the_alerts_on_late_shipments_have_every_lane_and_its_figure(
    ask: Ask, truth: Figures, slug: str, severity: str
) -> None:
    limits = getattr(shipped().late, severity)
    under_way = truth.open()

    def at(now: int) -> dict[str, float]:
        late = truth.late(now)
        too_many = {
            lane
            for lane in truth.lanes
            if late[lane] > limits.count
            or (late[lane] > limits.share * under_way[lane] and under_way[lane] >= limits.of_at_least)
        }
        return {lane: late[lane] if lane in too_many else 0 for lane in truth.lanes}

    before, shown = at(now_ms()), _alert(ask, slug)
    after = at(now_ms())
    assert shown.keys() == truth.lanes
    assert all(before[lane] <= shown[lane] <= after[lane] for lane in truth.lanes)
    assert any(shown.values())


def test_the_alert_on_newly_late_ones_counts_those_of_the_window(ask: Ask, truth: Figures) -> None:
    limit = shipped().newly_late
    before = now_ms()
    shown = _alert(ask, "newly-late")
    window = limit.window_minutes * MINUTE_MS
    most = truth.late(now_ms(), before - window)
    least = truth.late(before, now_ms() - window)
    assert all(_above(least, truth.lanes, limit.count)[lane] <= shown[lane] for lane in truth.lanes)
    assert all(shown[lane] <= _above(most, truth.lanes, limit.count)[lane] for lane in truth.lanes)


def test_each_late_shipment_has_its_ticket(ask: Ask, truth: Figures) -> None:
    before = {name for name, one in truth.moving.items() if one.due is not None and one.due < now_ms()}
    shown = _alert(ask, "late-shipment")
    after = {name for name, one in truth.moving.items() if one.due is not None and one.due < now_ms()}
    assert before <= shown.keys() <= after
    assert set(shown.values()) == {1}


def test_the_alert_on_risk_goes_by_estimate_or_the_lanes_p90(ask: Ask, truth: Figures) -> None:
    p90 = truth.p90()
    low = {lane: took * 0.985 for lane, took in p90.items()}  # the buckets are right within 1 %
    high = {lane: took * 1.015 for lane, took in p90.items()}
    before = now_ms()
    shown = _alert(ask, "at-risk")
    after = now_ms()
    # Time passing makes one late instead, or an estimate past: between the two moments it may be there or not.
    bounds = [truth.at_risk(moment, usual) for moment in (before, after) for usual in (low, high)]
    for lane in truth.lanes:
        figures_of_lane = [found[lane] for found in bounds]
        assert min(figures_of_lane) <= shown[lane] <= max(figures_of_lane), lane
    assert sum(shown.values()) > 0


def test_the_alert_on_overdue_milestones_counts_shipments(ask: Ask, truth: Figures) -> None:
    before = truth.overdue(now_ms())
    shown = _alert(ask, "overdue-milestone")
    after = truth.overdue(now_ms())
    assert all(before[lane] <= shown[lane] <= after[lane] for lane in truth.lanes)


def test_the_alerts_on_stock_count_positions_by_site(ask: Ask, truth: Figures) -> None:
    negative = Counter(site for (site, _), on_hand in truth.on_hand.items() if on_hand < 0)
    empty = Counter(site for (site, _), on_hand in truth.on_hand.items() if on_hand == 0)
    assert {site: value for site, value in _alert(ask, "negative-stock").items() if value} == negative
    assert {site: value for site, value in _alert(ask, "stockout").items() if value} == empty


def test_the_alert_on_shifted_lead_times_counts_routes(ask: Ask, truth: Figures) -> None:
    shown = _alert(ask, "lead-time-shift")
    assert shown.keys() == {"transit", "carrier_transit", "leg_transit", "order_to_delivery", "dock_to_stock"}
    assert {measure: count for measure, count in shown.items() if count} == truth.shifted(now_ms())
    assert len(truth.shifted(now_ms())) > 1


def test_the_alert_on_dead_letters_has_each_topics_share(ask: Ask, truth: Figures) -> None:
    told = shipped().dead_letter_share
    before = now_ms()
    shown = _alert(ask, "dead-letter-share")
    after = now_ms()
    assert shown.keys() == set(FACTS)
    for topic in FACTS:
        # What came ten minutes ago may leave the window between the two moments.
        shares = [truth.dead_share(topic, now, told.window_minutes, told.of_at_least) for now in (before, after)]
        assert min(shares) - 1e-9 <= shown[topic] <= max(shares) + 1e-9, topic


def test_the_alert_on_silent_sources_names_those_that_are_quiet_too_long(
    ask: Ask, truth: Figures, history: History
) -> None:
    before = truth.silent(history.now_ms)  # the store works these out every minute, the first time when it was filled
    silent = {source for source, value in _alert(ask, "silent-source").items() if value}
    assert before <= silent <= truth.silent(now_ms())


def test_each_source_has_a_score_of_its_events_and_the_worst_stands_first(ask: Ask, history: History) -> None:
    found = ask(expand(load("quality_by_source").sql, View(0, now_ms())))
    shown = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    judged = [(told, read(told.topic, told.value, told.at_ms)) for told in history.emissions if told.topic in FACTS[:3]]
    heard = {event.source for _, event in judged if not isinstance(event, Rejection)}
    assert heard <= {row["source"] for row in shown}
    scores = [row["score_7d"] for row in shown if row["score_7d"] is not None]
    assert scores == sorted(scores)
    for row in shown:
        lost = sum(row[name] or 0 for name in row if name.startswith("lost_"))
        assert row["score_7d"] is None or row["score_7d"] == pytest.approx(max(100 - lost, 0))
    day = now_ms() // DAY_MS
    counts = Counter(
        event.source for told, event in judged if not isinstance(event, Rejection) and told.at_ms // DAY_MS > day - 7
    )
    if now_ms() // DAY_MS == history.now_ms // DAY_MS:  # else a day has ended since
        assert {row["source"]: int(row["events_7d"]) for row in shown if int(row["events_7d"])} == counts


def test_the_age_of_the_data_is_that_of_the_newest_event(ask: Ask, truth: Figures) -> None:
    newest = max(truth.heard.values())
    least = (now_ms() - newest) / 1000
    shown = _alert(ask, "data-not-fresh")
    assert least - 0.01 <= shown["events"] <= (now_ms() - newest) / 1000 + 0.01
