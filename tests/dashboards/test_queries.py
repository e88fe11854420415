import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dashboards.alerts import AlertSettings, rule_groups
from dashboards.board import ALL
from dashboards.build import DASHBOARDS
from dashboards.inventory import PlacedQuery, every_query, missing_columns
from dashboards.macros import View, expand
from dashboards.queries import load
from sinks.embedded import DATABASE, EmbeddedStore
from sinks.migrate import migrate
from sinks.readonly import Rules
from tests.dashboards.history import INSERTS

QUERIES = every_query([board.json() for board in DASHBOARDS], [rule_groups(AlertSettings())])

Answer = dict[str, Any]
Ask = Callable[[str], Answer]


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
def empty(store: EmbeddedStore) -> dict[str, Answer]:
    """What every query answers before the first event."""
    ask = _asking(store)
    return {query.name: ask(expand(query.sql, looking())) for query in QUERIES}


@pytest.fixture(scope="module")
def ask(store: EmbeddedStore, empty: dict[str, Answer]) -> Ask:
    """Puts a statement to the filled store as the gate would: checked, read-only."""
    assert empty  # asked first: the history comes after it
    for insert in INSERTS:
        store.writer.command(insert)
    return _asking(store)


def _asking(store: EmbeddedStore) -> Ask:
    def ask(sql: str) -> Answer:
        with store.session(database=DATABASE) as session:
            text = Rules.of(session).check(session, sql, {}).text
            found: Answer = json.loads(session.ask(text, "JSONCompact").body)
            return found

    return ask


def _columns(answer: Answer) -> dict[str, str]:
    return {each["name"]: each["type"] for each in answer["meta"]}


def _rows(ask: Ask, name: str, view: View | None = None) -> list[list[Any]]:
    rows: list[list[Any]] = ask(expand(load(name).sql, view or looking()))["data"]
    return rows


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_every_query_runs_and_returns_what_its_place_needs(ask: Ask, query: PlacedQuery) -> None:
    for view in (looking(), looking("AAA>BBB", "DHL", "A2"), looking("it's", "?", "no such'")):
        answer = ask(expand(query.sql, view))
        assert missing_columns(query, _columns(answer)) == ()


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_every_query_runs_on_an_empty_store(empty: dict[str, Answer], query: PlacedQuery) -> None:
    assert missing_columns(query, _columns(empty[query.name])) == ()


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_no_query_is_empty_over_the_history(ask: Ask, query: PlacedQuery) -> None:
    assert ask(expand(query.sql, looking(shipment_id="A1")))["data"]


def test_the_age_of_the_data_is_unknown_before_the_first_event(empty: dict[str, Answer]) -> None:
    assert empty["Control tower / Age of the data"]["data"] == [[None]]


def test_the_alert_has_a_row_for_every_lane_and_leaves_out_what_is_in_hand(ask: Ask) -> None:
    assert _rows(ask, "alert_late_by_lane") == [["AAA>BBB", 1], ["CCC>?", 1], ["DDD>EEE", 0]]


@pytest.mark.parametrize(
    ("view", "late", "in_hand", "open_shipments"),
    [
        (looking(), 2, 1, 4),
        (looking("AAA>BBB"), 1, 1, 3),
        (looking("AAA>BBB", "DHL"), 0, 1, 2),
        (looking(carrier="?"), 1, 0, 1),
    ],
)
def test_the_figures_follow_lane_and_carrier(
    ask: Ask, view: View, late: int, in_hand: int, open_shipments: int
) -> None:
    figures = [_rows(ask, name, view) for name in ("late_now", "late_acknowledged", "shipments_open")]

    assert [int(figure[0][0]) for figure in figures] == [late, in_hand, open_shipments]


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
    timeline = _rows(ask, "state_timeline", looking(shipment_id="C1"))

    assert sorted(row[7] for row in events) == ["e-2", "e-5"]
    assert [(row[1], row[2]) for row in timeline] == [("C1", "picked_up")]


def test_without_a_chosen_shipment_the_timeline_shows_the_late_ones(ask: Ask) -> None:
    assert {row[1] for row in _rows(ask, "state_timeline")} == {"A1", "A2", "C1"}
