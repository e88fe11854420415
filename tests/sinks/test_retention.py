"""Retention: what is old leaves the history, and every stock figure stays what it was, whatever happens on the way."""

import json
from collections.abc import Callable
from typing import Final

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import WrongInput
from schemas.event import Event
from schemas.times import DAY_MS, HOUR_MS
from sinks.replay import replay
from sinks.retention.runs import resume, retain, tidy
from streams.stock.facts import Movement
from tests.sinks.retained import (
    BEGIN,
    CUTOFF,
    NEW,
    POSITION,
    Killed,
    busy_position,
    database,
    emptied,
    figures,
    journey,
    known,
    late_event,
    number,
    put,
    stages,
    tidied,
)
from tests.strategies import raw, warehouse_events
from tests.streams.network import Network
from tests.streams.told import correction, milestone, movement


@pytest.fixture(scope="module")
def shared(engine: Callable[[], Client]) -> Client:
    """One database for all tests and examples."""
    return database(engine())


@pytest.fixture
def store(shared: Client) -> Client:
    """The database, empty."""
    return emptied(shared)


@given(
    st.lists(warehouse_events(), min_size=5, max_size=30),
    st.lists(st.booleans(), min_size=30, max_size=30),
    st.integers(2, 22),
)
@settings(max_examples=6, deadline=None)
def test_stock_is_the_same_before_and_after_and_a_second_run_folds_openings(
    shared: Client, said: list[Event], young: list[bool], day: int
) -> None:
    store = emptied(shared)
    old = [("warehouse.events", raw(event)) for event, is_young in zip(said, young, strict=False) if not is_young]
    new = [("warehouse.events", raw(event)) for event, is_young in zip(said, young, strict=False) if is_young]
    put(store, old, BEGIN + day * DAY_MS)
    put(store, new, NEW)
    before = figures(store)
    retain(store, BEGIN + day * DAY_MS + 1)
    assert figures(store) == before
    tidied(store)
    assert figures(store) == before
    assert number(store, "warehouse_events") <= len(said)
    retain(store, NEW + DAY_MS, most=15)
    assert figures(store) == before
    assert set(stages(store)) == {"finished"}


def test_a_position_keeps_its_figures_and_loses_its_events(store: Client) -> None:
    put(store, busy_position(), CUTOFF - DAY_MS)
    put(store, [movement("shipped", 24 * 62, 1)], NEW)
    before = figures(store)
    (run,) = retain(store, CUTOFF)
    assert figures(store) == before
    assert (run.stage, run.positions, run.left_alone) == ("finished", 1, 0)
    assert run.dropped == {"warehouse_events": 36}
    assert number(store, "warehouse_events", "retracted = 1") == 34
    assert not tidy(store)
    tidied(store)
    assert figures(store) == before
    assert number(store, "warehouse_events") == run.openings + 1
    assert number(store, "warehouse_events", "epoch = 0") == run.openings
    assert number(store, "warehouse_events", "retracted = 1") == 0
    assert store.query("SELECT count() FROM retention_dropping").result_rows == [(0,)]


def test_openings_that_are_old_are_folded_with_what_came_since(store: Client) -> None:
    put(store, busy_position(), CUTOFF - DAY_MS)
    retain(store, CUTOFF)
    put(store, [movement("shipped", 24 * 62 + hour, 1) for hour in range(20)], NEW)
    before = figures(store)
    (run,) = retain(store, NEW + 3 * DAY_MS)
    assert figures(store) == before
    tidied(store)
    assert number(store, "warehouse_events") == run.openings
    offsets = [offset for (offset,) in store.query("SELECT offset FROM warehouse_events ORDER BY offset").result_rows]
    gone = [offset for (offset,) in store.query("SELECT offset FROM dropped_coordinates WHERE epoch = 0").result_rows]
    assert sorted({*offsets, *gone}) == list(range(len(offsets) + len(gone)))


def test_where_nothing_is_new_openings_stay_as_they_are(store: Client) -> None:
    put(store, busy_position(), CUTOFF - DAY_MS)
    retain(store, CUTOFF)
    before = store.query("SELECT event_id FROM warehouse_events ORDER BY event_id").result_rows
    (run,) = retain(store, CUTOFF + 10 * DAY_MS)
    assert (run.openings, run.dropped) == (0, {})
    assert store.query("SELECT event_id FROM warehouse_events ORDER BY event_id").result_rows == before


def test_what_arrived_after_the_cutoff_stays_and_so_does_all_from_its_day_on(store: Client) -> None:
    told = [movement("received", hour, 10) for hour in range(0, 240, 2)]
    put(store, told, CUTOFF - DAY_MS)
    put(store, [correction(told[60], 300, quantity="4")], NEW)  # hour 120: day 5
    before = figures(store)
    retain(store, CUTOFF)
    assert figures(store) == before
    kept = store.query("SELECT toString(min(occurred_at)), count() FROM warehouse_events WHERE epoch = 1").result_rows
    assert kept == [("2026-03-06 00:00:00.000", 61)]


STEPS: Final = (
    "begun",
    "staged",
    "attached",
    "noted",
    "dropped 1 shipment_events",
    "dropped 1 warehouse_events",
    "dropped 3 late_event_records",
    "dropped others",
)


@pytest.mark.parametrize("at", STEPS)
def test_killed_after_any_step_the_figures_are_right_at_once_and_the_next_start_goes_on(store: Client, at: str) -> None:
    put(store, [*busy_position(), *journey()], CUTOFF - DAY_MS)
    late_event(store, movement("scrapped", 70, 9), CUTOFF - DAY_MS)
    late_event(store, milestone("S-1", "returned", 70), CUTOFF - DAY_MS)
    known(store)
    before = figures(store)

    def step(name: str) -> None:
        if name == at:
            raise Killed

    with pytest.raises(Killed):
        retain(store, CUTOFF, step)
    assert not tidy(store, idle_ms=-1)
    assert figures(store) == before
    resume(store)
    assert figures(store) == before
    assert stages(store) == ["abandoned" if at == "begun" else "finished"]
    if at == "begun":
        retain(store, CUTOFF)
    tidied(store)
    assert figures(store) == before
    assert number(store, "warehouse_events", "epoch = 1") == 0
    assert number(store, "warehouse_events", "retracted = 1") == 0
    assert number(store, "shipment_events", "type = 'position'") == 1
    assert store.query("SELECT count() FROM late_event_records").result_rows == [(0,)]


def test_a_rebuild_that_had_read_the_events_before_a_run_takes_them_back_after_it(store: Client) -> None:
    put(store, busy_position(), CUTOFF - DAY_MS)
    before = figures(store)
    network = Network()
    for when in ("before", "after"):
        for one in (one for chunk in replay(store) for one in chunk):
            network.feed([(one.topic, one.raw)], headers=[one.header])
        if when == "before":
            retain(store, CUTOFF, most=10)
    network.run()
    position = json.loads(network.views().states[POSITION])
    del position["movements"]
    assert position == before[POSITION]


def test_openings_that_do_not_add_up_leave_everything(store: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(moves: list[Movement]) -> tuple[Movement, ...]:
        return (Movement(0, moves[0].occurred_at, 1, "pack", None, None),)

    put(store, busy_position(), CUTOFF - DAY_MS)
    before = store.query("SELECT event_id, raw FROM warehouse_events ORDER BY offset").result_rows
    monkeypatch.setattr("sinks.retention.staging.openings", wrong)
    with pytest.raises(Exception, match="do not add up"):
        retain(store, CUTOFF)
    assert store.query("SELECT event_id, raw FROM warehouse_events ORDER BY offset").result_rows == before
    assert stages(store) == ["abandoned"]


def test_what_another_process_may_be_staging_is_left_alone_and_nothing_is_begun_beside_it(store: Client) -> None:
    put(store, busy_position(), CUTOFF - DAY_MS)

    def step(name: str) -> None:
        raise Killed(name)

    with pytest.raises(Killed, match="begun"):
        retain(store, CUTOFF, step)
    with pytest.raises(WrongInput, match="under way"):
        retain(store, CUTOFF, idle_ms=HOUR_MS)
    assert stages(store) == ["begun"]
