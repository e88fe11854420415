import time
from collections.abc import Iterator
from typing import Any

import pytest

from dashboards.alerts import AlertSettings, rule_groups
from dashboards.board import ALL
from dashboards.build import DASHBOARDS
from dashboards.checking import Ask, EmptyPanel, Report, check
from dashboards.macros import View, expand
from dashboards.names import SHIPMENTS_UID, STOCK_UID
from dashboards.queries import load
from dashboards.thresholds import Thresholds, shipped
from deploy.dashboard_check import asking
from sinks.embedded import EmbeddedStore
from sinks.migrate import migrate
from tests.dashboards.history import INSERTS

BOARDS = [board.json() for board in DASHBOARDS]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def looking(lane: str = ALL, carrier: str = ALL, shipment_id: str = "") -> View:
    """A day up to now, with these choices."""
    now = int(time.time() * 1000)
    return View(
        from_ms=now - 86_400_000,
        to_ms=now + 1000,
        interval_s=60,
        chosen={"lane": (lane,), "carrier": (carrier,), "shipment_id": shipment_id},
        options={"lane": ("AAA>BBB", "CCC>?"), "carrier": ("DHL", "MSC")},
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path_factory.mktemp("dashboards") / "store") as opened:
        migrate(opened.writer)
        yield opened


@pytest.fixture(scope="module")
def before(store: EmbeddedStore) -> Report:
    """What everything answers before the first event."""
    with asking(store) as ask:
        return check(ask, BOARDS, [rule_groups(AlertSettings())], now_ms())


@pytest.fixture(scope="module")
def ask(store: EmbeddedStore, before: Report) -> Iterator[Ask]:
    """Puts a statement to the filled store as the gate would: checked, read-only."""
    assert before.queries  # asked first: the history comes after it
    for insert in INSERTS:
        store.writer.command(insert)
    with asking(store) as asked:
        yield asked


def _rows(ask: Ask, name: str, view: View | None = None) -> list[list[Any]]:
    return [list(row) for row in ask(expand(shipped().fill(load(name).sql), view or looking())).rows]


def test_every_query_runs_on_an_empty_store_and_each_panel_says_why_it_is_empty(before: Report) -> None:
    assert before.errors == ()
    assert len(before.empty_panels) > 40
    assert EmptyPanel("Control tower / Age of the data", "no events yet: publish some") in before.empty_panels


def test_over_a_history_without_reference_data_the_panels_say_what_to_publish(ask: Ask) -> None:
    report = check(ask, [board for board in BOARDS if board["uid"] in {SHIPMENTS_UID, STOCK_UID}], [], now_ms())

    reasons = {empty.panel: empty.reason for empty in report.empty_panels}
    assert not [error for error in report.errors if "leads to no dashboard" not in error]
    assert "publish site_described" in reasons["Shipments and delays / Places: where it hurts"]
    assert "publish site_described" in reasons["Stock and warehouse / Backlog, in days of work"]


def test_the_alert_has_a_row_for_every_lane_and_leaves_out_what_is_in_hand(ask: Ask) -> None:
    assert _rows(ask, "alert_late_by_lane_warning") == [["AAA>BBB", 1], ["CCC>?", 1], ["DDD>EEE", 0]]


def test_the_page_comes_by_share_or_by_number_and_a_lane_may_have_its_own(ask: Ask) -> None:
    usual = load("alert_late_by_lane").sql
    own = shipped().model_dump() | {"late": shipped().late.model_dump() | {"lanes": {"AAA>BBB": {"page": STRICT}}}}

    assert ask(shipped().fill(usual)).rows == [["AAA>BBB", 0], ["CCC>?", 1], ["DDD>EEE", 0]]
    assert ask(Thresholds.model_validate(own).fill(usual)).rows == [["AAA>BBB", 1], ["CCC>?", 1], ["DDD>EEE", 0]]


STRICT = {"count": 0, "share": 1, "of_at_least": 1}


@pytest.mark.parametrize(
    ("view", "late", "open_shipments"),
    [
        (looking(), 2, 4),
        (looking("AAA>BBB"), 1, 3),
        (looking("AAA>BBB", "DHL"), 0, 2),
        (looking(carrier="?"), 1, 1),
    ],
)
def test_the_figures_follow_lane_and_carrier(ask: Ask, view: View, late: int, open_shipments: int) -> None:
    figures = [_rows(ask, name, view) for name in ("late_now", "shipments_open")]

    assert [int(figure[0][0]) for figure in figures] == [late, open_shipments]


def test_what_somebody_has_in_hand_is_counted_apart(ask: Ask) -> None:
    assert int(_rows(ask, "exceptions_in_hand")[0][0]) == 1


def test_late_ones_are_sorted_into_ages_and_every_age_has_a_bar(ask: Ask) -> None:
    ages = [(age, int(count)) for age, count in _rows(ask, "late_ageing")]

    assert ages == [
        ("under 4 h", 1),
        ("4 to 24 h", 1),
        ("1 to 3 days", 0),
        ("3 to 7 days", 1),
        ("over 7 days", 0),
    ]


def test_every_kind_of_exception_has_a_bar(ask: Ask) -> None:
    kinds = {kind: int(count) for kind, count in _rows(ask, "exceptions_by_kind")}

    assert kinds == {
        "late_delivery": 2,
        "overdue_milestone": 3,
        "negative_stock": 1,
        "quantity_mismatch": 0,
        "stockout": 0,
        "condition_excursion": 0,
        "at_risk": 0,
        "long_dwell": 0,
        "below_reorder_point": 0,
        "lead_time_shift": 0,
        "silent_source": 0,
    }


def test_on_time_is_of_the_lines_that_had_a_promise(ask: Ask) -> None:
    assert _rows(ask, "on_time_share") == [[0.75]]
    assert _rows(ask, "on_time_share", looking("AAA>BBB")) == [[None]]
    assert [share for _, share in _rows(ask, "late_share_daily")] == [0.25]


def test_events_per_minute_tell_the_streams_apart(ask: Ask) -> None:
    found: dict[str, float] = {}
    for _, stream, rate in _rows(ask, "events_per_minute"):
        found[stream] = found.get(stream, 0) + rate

    assert found == {"supplier": 4, "shipment": 6, "warehouse": 1}


def test_a_chosen_shipment_shows_its_own_events_withdrawn_ones_too(ask: Ask) -> None:
    events = _rows(ask, "shipment_events", looking(shipment_id="C1"))
    timeline = _rows(ask, "shipment_timeline", looking(shipment_id="A1"))

    assert sorted(row[7] for row in events) == ["e-2", "e-5"]
    assert [(row[1], row[2]) for row in timeline] == [
        ("1 planned", "1 departed"),
        ("3 actual", "1 departed"),
        ("1 planned", "1 arrived"),
    ]


def test_without_a_chosen_shipment_the_timeline_shows_the_late_ones(ask: Ask) -> None:
    assert {row[1] for row in _rows(ask, "state_timeline")} == {"A1", "A2", "C1"}
