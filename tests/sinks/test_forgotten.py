"""What is said of an event after retention has dropped it: no figure takes it, whichever way it comes."""

import json
from collections.abc import Callable
from itertools import cycle

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.door import Door, Line
from schemas.coordinates import Coordinate, Origin
from schemas.event import Event
from schemas.times import DAY_MS
from schemas.versions import content_hash
from sinks import epochs
from sinks.audit import coordinates
from sinks.audit.coordinates import of_broker
from sinks.audit.questions import STOCK
from sinks.audit.reading import Extent
from sinks.replay import count, passed_over, replay
from sinks.retention import forgotten
from sinks.retention.forgotten import left_out
from sinks.retention.runs import retain
from sinks.rows import Record
from tests.sinks.audited import asking, audited
from tests.sinks.records import record, write
from tests.sinks.retained import (
    BEGIN,
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
    put,
    rebuilt,
    tidied,
)
from tests.strategies import raw, warehouse_events
from tests.streams.told import ITEM, SITE, Told, condition, correction, movement

PLACE = f"{SITE}|{ITEM}"
MOVEMENTS = "warehouse.events"


@pytest.fixture(scope="module")
def shared(engine: Callable[[], Client]) -> Client:
    """One database for all tests and examples."""
    return database(engine())


@pytest.fixture
def store(shared: Client) -> Client:
    """The database, empty."""
    return emptied(shared)


def identity(told: Told) -> tuple[str, str, str]:
    """What an event is known by."""
    said = json.loads(told.raw)
    return f"{said['site']}|{said['item']}", said["source"], said["event_id"]


def gone(store: Client, told: list[Told]) -> list[Told]:
    """Those of which nothing is left in the store."""
    rows = store.query("SELECT entity, toString(source), event_id FROM warehouse_events").result_rows
    left = {tuple(row) for row in rows}
    return [one for one in told if identity(one) not in left]


@given(st.lists(warehouse_events(), min_size=8, max_size=30), st.lists(st.booleans(), min_size=30, max_size=30))
@settings(max_examples=4, deadline=None)
def test_what_corrects_or_repeats_what_was_dropped_changes_nothing_now_or_in_the_next_run(
    shared: Client, said: list[Event], corrects: list[bool]
) -> None:
    store = emptied(shared)
    told = [Told(MOVEMENTS, raw(event)) for event in said]
    put(store, told, BEGIN + 30 * DAY_MS)
    before = figures(store)
    retain(store, BEGIN + 31 * DAY_MS)
    tidied(store)
    kept = number(store, "warehouse_events")
    again = [
        correction(one, 24 * 40, quantity="77") if corrected else one
        for one, corrected in zip(gone(store, told), cycle(corrects), strict=False)
    ]
    put(store, again, NEW)
    assert number(store, "warehouse_events") == kept + len(again)
    assert (count(store), passed_over(store)) == (kept, len(again))
    assert figures(store) == before
    retain(store, NEW + DAY_MS)
    tidied(store)
    assert figures(store) == before
    assert passed_over(store) == 0
    accounted = number(store, "(SELECT * FROM dropped_coordinates WHERE epoch > 0)")
    assert accounted + number(store, "warehouse_events", "epoch > 0") == len(told) + len(again)


def test_a_late_correction_of_it_is_left_out_when_its_position_is_derived_anew_and_a_new_event_is_not(
    store: Client,
) -> None:
    told = busy_position()
    put(store, told, CUTOFF - DAY_MS)
    retain(store, CUTOFF)
    before = figures(store)
    late_event(store, correction(told[0], 24 * 64, quantity="41"), NEW)
    late_event(store, movement("scrapped", 12, 1), NEW)
    records = [one for chunk in replay(store, entity=PLACE, with_late=True) for one in chunk]
    assert [json.loads(one.raw)["type"] for one in records if one.late] == ["scrapped"]
    assert len(left_out(store, MOVEMENTS, PLACE)) == 1
    assert left_out(store, MOVEMENTS, "elsewhere") == frozenset()
    assert passed_over(store) == 0  # it is late, and nobody asks for it
    assert figures(store) == before
    assert "1 events were left out" in forgotten.told(1)


def test_names_are_looked_for_in_parts_where_there_are_many(store: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    told = busy_position()
    put(store, told, CUTOFF - DAY_MS)
    retain(store, CUTOFF)
    put(store, told, NEW)
    whole = left_out(store, MOVEMENTS)
    monkeypatch.setattr(forgotten, "_AT_ONCE", 4)
    assert left_out(store, MOVEMENTS) == whole
    assert len(whole) == len(told)


def test_what_an_ended_shipment_or_order_had_taken_back_does_not_come_again(store: Client) -> None:
    told = journey()
    put(store, told, CUTOFF - DAY_MS)
    known(store)
    before = rebuilt(store)
    retain(store, CUTOFF)
    kept = {told for (told,) in store.query("SELECT raw FROM shipment_events").result_rows}
    hot = [condition("S-1", hour, temperature="9", temperature_max="8") for hour in (36, 37, 38, 39)]
    again = [one for one in told if b"retracted" not in one.raw and one.raw.decode() not in kept]
    put(store, [*again, *hot], NEW)
    assert rebuilt(store).states == before.states
    retain(store, NEW + DAY_MS)
    assert rebuilt(store).states == before.states


def test_audit_counts_it_no_more_and_finds_a_position_that_does(store: Client) -> None:
    told = busy_position()
    put(store, told, CUTOFF - DAY_MS)
    known(store)
    retain(store, CUTOFF)
    put(store, [correction(told[0], 24 * 64, quantity="41")], NEW)
    assert audited(store, [STOCK]).listed == ()
    store.command("TRUNCATE TABLE retention_forgotten")
    assert {one.field for one in audited(store, [STOCK]).listed} >= {"received", "count_variance"}


def test_our_door_refuses_it_in_a_sentence_and_takes_what_was_not_dropped(store: Client) -> None:
    told = [
        *busy_position(),
        correction(movement("scrapped", 100, 1), 100, event_id="it's \\ {{topic}} odd"),
    ]
    put(store, told, CUTOFF - DAY_MS)
    retain(store, CUTOFF)
    fresh = movement("scrapped", 24 * 63, 2)
    lines = [correction(told[0], 24 * 64, quantity="41"), told[-1], fresh]
    decision = Door(store).decide([Line(index, one.raw) for index, one in enumerate(lines)], NEW)
    assert [refused.line.number for refused in decision.refused] == [0, 1]
    assert "send an adjusted event" in decision.refused[0].rejection.reason
    assert [accepted.value for accepted in decision.accepted] == [fresh.raw]


def test_reading_every_record_does_not_miss_what_was_dropped_and_finds_what_was_not(
    store: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = put(store, busy_position(), CUTOFF - DAY_MS)
    ids = store.query("SELECT toString(store_id) FROM store").result_rows
    again = [
        one._replace(
            epoch=2,
            offset=index,
            headers=(Origin(Coordinate(1, MOVEMENTS, 0, one.offset), CUTOFF - DAY_MS, ids[0][0]).header(),),
        )
        for index, one in enumerate(records)
    ]
    write(store, *again)
    epochs.begin(store, 2)
    epochs.end(store, 2)
    retain(store, CUTOFF)
    retractions = number(store, "warehouse_events", "epoch = 0 AND partition = 1")
    write(store, *(one._replace(offset=100 + index) for index, one in enumerate(_replayed(store, ids[0][0]))))
    tidied(store)
    (fresh,) = put(store, [movement("shipped", 24 * 63, 1)], NEW, epoch=2)
    first, behind = records[0].offset, records[-1].offset + 1
    told = {one.offset: content_hash(one.value or b"").hex().upper() for one in records}
    replayed = {index: told[one.offset] for index, one in enumerate(records)}
    replayed |= {100 + index: "AB" for index in range(retractions)}

    def found(epoch: int, read: dict[int, str]) -> list[int]:
        extent = Extent(MOVEMENTS, 0, min(read), max(read) + 1)
        monkeypatch.setattr(coordinates, "extents", lambda _: (extent,))
        monkeypatch.setattr(coordinates, "present", lambda _, wanted: {place: [] for place in wanted})
        monkeypatch.setattr(coordinates, "hashes", lambda *_: iter([read]))
        listed = of_broker(asking(store), "nowhere:1", epoch, deep=True).listed
        return [one.offset for one in listed if one.epoch == epoch]

    assert len(told) == behind - first
    assert found(1, told) == []
    assert found(2, replayed) == []
    assert found(2, replayed | {fresh.offset: "AB", fresh.offset + 1: "AB"}) == [fresh.offset, fresh.offset + 1]


def _replayed(store: Client, home: str) -> list[Record]:
    """The retractions as a replay brings them into the broker."""
    rows = store.query("SELECT offset, raw FROM warehouse_events WHERE epoch = 0 AND partition = 1").result_rows
    return [
        record(
            MOVEMENTS, said.encode(), epoch=2, headers=(Origin(Coordinate(0, MOVEMENTS, 1, at), CUTOFF, home).header(),)
        )
        for at, said in rows
    ]
