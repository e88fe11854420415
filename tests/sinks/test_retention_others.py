"""Retention of orders, shipments, late events and dead letters; what a run would drop, and when one is due."""

import json
from collections.abc import Callable

import pytest
from clickhouse_connect.driver.client import Client

from deploy.retaining import is_due
from schemas.coordinates import Coordinate, Origin
from schemas.derived import DeadLetter, encode
from schemas.errors import WrongInput
from schemas.times import DAY_MS
from sinks.retention.ledger import Run
from sinks.retention.runs import cutoff_of, retain
from sinks.retention.staging import preview
from tests.sinks.records import record, write
from tests.sinks.retained import (
    CUTOFF,
    NEW,
    busy_position,
    database,
    emptied,
    figures,
    journey,
    known,
    late_event,
    number,
    position,
    put,
    rebuilt,
    stages,
)
from tests.streams.told import condition, correction, movement


@pytest.fixture(scope="module")
def shared(engine: Callable[[], Client]) -> Client:
    """One database for all tests and examples."""
    return database(engine())


@pytest.fixture
def store(shared: Client) -> Client:
    """The database, empty."""
    return emptied(shared)


def test_what_has_ended_and_is_quiet_becomes_thin_and_its_views_are_the_same_byte_for_byte(store: Client) -> None:
    put(store, journey(), CUTOFF - DAY_MS)
    known(store)
    before = rebuilt(store)
    assert before.shipment("S-1").status == "delivered"
    assert before.shipment("S-1").latitude_micros == 39_000_000
    (run,) = retain(store, CUTOFF)
    assert rebuilt(store).states == before.states
    assert run.dropped == {"shipment_events": 1 + 28 + 29 + 2, "supplier_events": 1 + 1}
    assert number(store, "shipment_events") == 5
    assert number(store, "supplier_events") == 2


@pytest.mark.parametrize("why", ["open", "not quiet"])
def test_what_is_open_or_was_heard_of_stays_whole(store: Client, why: str) -> None:
    told = journey()
    put(store, told[:-1] if why == "open" else told, CUTOFF - DAY_MS)
    if why == "not quiet":
        put(store, [position("S-1", 55)], NEW)
    known(store)
    shipments = number(store, "shipment_events")
    retain(store, CUTOFF)
    assert number(store, "shipment_events") == shipments


def test_readings_stay_where_an_excursion_is_open(store: Client) -> None:
    hot = [condition("S-1", 40 + hour, temperature="9", temperature_max="8") for hour in range(4)]
    put(store, [*journey(), *hot], CUTOFF - DAY_MS)
    known(store)
    before = rebuilt(store)
    assert "condition_excursion" in before.exceptions("shipment/S-1")
    retain(store, CUTOFF)
    assert rebuilt(store).states == before.states


def test_a_late_event_that_was_never_applied_goes_for_good_and_a_young_one_stays_late(store: Client) -> None:
    put(store, busy_position(), CUTOFF - DAY_MS)
    late_event(store, movement("scrapped", 70, 9), CUTOFF - DAY_MS)
    late_event(store, movement("scrapped", 71, 9), NEW)
    before = figures(store)
    retain(store, CUTOFF)
    assert figures(store) == before
    assert store.query("SELECT count() FROM late_event_records").result_rows == [(1,)]
    assert number(store, "warehouse_events", "type = 'scrapped'") == 1


def test_a_late_correction_that_is_young_keeps_its_event(store: Client) -> None:
    told = busy_position()
    put(store, told, CUTOFF - DAY_MS)
    late_event(store, correction(told[0], 200, quantity="41"), NEW)
    before = figures(store)
    retain(store, CUTOFF)
    assert figures(store) == before
    assert (
        number(store, "warehouse_events", f"event_id = '{json.loads(told[0].raw)['event_id']}'") == 2
    )  # our own names


def test_dead_letters_and_replayed_records_of_brokers_long_gone_go_and_coordinates_are_accounted_for(
    store: Client,
) -> None:
    told = put(store, busy_position(), CUTOFF - DAY_MS)
    bad = record("warehouse.events", b"{", appended_at=CUTOFF - DAY_MS)
    young = record("warehouse.events", b"{", appended_at=NEW)
    letter = DeadLetter(1, "warehouse.events", 0, bad.offset, CUTOFF - DAY_MS, "not_json", "r", "", b"k", b"{", "stock")
    write(store, bad, young, record("dead.letters", encode(letter), appended_at=CUTOFF - DAY_MS))
    first = Coordinate(1, "warehouse.events", 0, told[0].offset)
    home = store.query("SELECT toString(store_id) FROM store").result_rows[0][0]
    for epoch in (1, 2, 3):
        store.command(
            f"INSERT INTO epochs (epoch, started_at, ended_at) SELECT {epoch}, '2026-03-0{epoch}', '2026-03-0{epoch}'"
        )
        again = told[0]._replace(epoch=epoch, offset=9_000, headers=(Origin(first, CUTOFF - DAY_MS, home).header(),))
        write(store, again)
    rows = "SELECT epoch, toUInt32(partition), offset FROM"
    places = (
        f"{rows} warehouse_events WHERE epoch > 0 UNION DISTINCT {rows} dead_letter_records WHERE origin = '' "
        f"UNION DISTINCT {rows} replayed_records"
    )
    before = set(store.query(places).result_rows)
    (run,) = retain(store, CUTOFF)
    assert run.dropped == {"warehouse_events": 36, "dead_letter_records": 2, "replayed_records": 2}
    assert store.query("SELECT epoch FROM replayed_records").result_rows == [(3,)]
    assert store.query("SELECT offset FROM dead_letter_records").result_rows == [(young.offset,)]
    after = f"{places} UNION DISTINCT {rows} dropped_coordinates WHERE topic = 'warehouse.events' AND epoch > 0"
    assert set(store.query(after).result_rows) == before


def test_a_look_ahead_tells_what_a_run_drops_and_changes_nothing(store: Client) -> None:
    put(store, [*busy_position(), *journey()], CUTOFF - DAY_MS)
    late_event(store, movement("scrapped", 70, 9), CUTOFF - DAY_MS)
    known(store)
    told = preview(store, CUTOFF)
    assert (stages(store), number(store, "warehouse_events", "epoch = 1")) == ([], 37)
    (run,) = retain(store, CUTOFF)
    assert {name: rows for name, rows in told.items() if rows and name != "positions"} == run.dropped
    assert told["positions"] == run.positions


def test_a_retention_within_which_corrections_are_taken_is_refused() -> None:
    assert cutoff_of(37 * DAY_MS, 7 * DAY_MS, CUTOFF) == CUTOFF - 37 * DAY_MS
    with pytest.raises(WrongInput, match="37d or more"):
        cutoff_of(37 * DAY_MS - 1, 7 * DAY_MS, CUTOFF)


def test_a_day_after_the_last_run_the_next_is_due() -> None:
    done = Run(CUTOFF, CUTOFF, "finished")
    assert is_due([], CUTOFF)
    assert is_due([Run(CUTOFF, CUTOFF, "abandoned")], CUTOFF)
    assert not is_due([done], CUTOFF + DAY_MS - 1)
    assert is_due([done], CUTOFF + DAY_MS)
