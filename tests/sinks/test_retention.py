"""Retention: what is old leaves the history, and every figure that people act on stays what it was."""

import json
from collections.abc import Callable, Iterable
from typing import Any, Final

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.retaining import is_due
from schemas.coordinates import Coordinate, Origin
from schemas.derived import DeadLetter, LateRecord, encode
from schemas.errors import WrongInput
from schemas.event import Event
from schemas.times import DAY_MS, HOUR_MS, rfc3339, to_ms
from schemas.wire import read
from sinks import epochs
from sinks.migrate import migrate
from sinks.replay import replay
from sinks.retention.openings import opening_raw, openings
from sinks.retention.runs import Run, cutoff_of, preview, resume, retain, runs, tidy
from sinks.rows import Record
from sinks.tables import TABLES
from streams.stock.books import Books, take_all
from streams.stock.facts import KINDS, Movement
from tests.sinks.records import record, write
from tests.strategies import START, raw, warehouse_events
from tests.streams.network import Network, Views
from tests.streams.told import (
    ITEM,
    SITE,
    Told,
    condition,
    correction,
    line,
    milestone,
    movement,
    notice,
    of_order,
    placed,
    retraction,
)

BEGIN: Final = to_ms(START)
CUTOFF: Final = BEGIN + 60 * DAY_MS
NEW: Final = CUTOFF + 5 * DAY_MS
POSITION: Final = ("stock.positions", f"{SITE}|{ITEM}")

# --- the openings alone ---

_UNITS: Final = ("pack", "pack", "pack", "pack", "pallet")
_moves: Final = st.lists(
    st.builds(
        Movement,
        kind=st.integers(0, len(KINDS) - 1),
        occurred_at=st.integers(0, 12),
        quantity=st.sampled_from((0, 1, 1, 2, 3, 5, 8)),
        unit=st.sampled_from(_UNITS),
        shipment_id=st.sampled_from((None, None, "S-1", "S-2")),
        lot=st.sampled_from((None, None, "L-1")),
    ),
    max_size=25,
)


def books(moves: Iterable[Movement]) -> Books:
    found = Books()
    take_all(found, moves)
    found.movements = 0
    return found


def taken(moves: Iterable[Movement]) -> list[Movement]:
    return sorted(moves, key=lambda one: (one.occurred_at, one.kind))


@given(_moves, st.lists(st.integers(0, 24), max_size=8))
@settings(max_examples=300, deadline=None)
def test_openings_leave_the_books_as_the_movements_left_them_whatever_comes_after(
    moves: list[Movement], negative: list[int]
) -> None:
    adjusted = KINDS.index("adjusted")
    for index in negative:  # only adjustments may be negative
        if index < len(moves) and moves[index].kind == adjusted:
            moves[index] = Movement(adjusted, moves[index].occurred_at, -moves[index].quantity, "pack", None, None)
    moves = taken(moves)
    made = openings(moves)
    assert made is not None
    assert books(made) == books(moves)
    assert list(made) == taken(made)
    after = [Movement(kind, 20, 3, "pack", None, None) for kind in range(len(KINDS))]
    assert books([*made, *after]) == books([*moves, *after])


def test_sums_that_no_event_can_say_are_said_by_several() -> None:
    moves = [Movement(0, at, 10**15 - 1, "pack", None, None) for at in range(5)]
    made = openings(moves)
    assert made is not None
    assert books(made) == books(moves)
    assert max(one.quantity for one in made) < 10**15


def test_where_no_openings_are_found_there_are_none() -> None:
    most = 10**15 - 1
    assert (
        openings([Movement(KINDS.index("counted"), 0, most, "pack", None, None), Movement(0, 1, 1, "pack", None, None)])
        is None
    )


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_an_opening_is_an_ordinary_event(kind: int) -> None:
    move = Movement(kind, BEGIN, 1_234_567, "pack", "S-1", "L 1")
    told = opening_raw(move, 3, name="opening/x", site=SITE, item=ITEM, day="2026-03-01", recorded_at=CUTOFF)
    event = read("warehouse.events", told, CUTOFF)
    assert isinstance(event, Event)
    assert (event.source, event.occurred_ms, event.recorded_ms) == ("quayside", BEGIN, CUTOFF)


# --- in the store ---


def put(store: Client, told: Iterable[tuple[str, bytes]], at: int, epoch: int = 1) -> list[Record]:
    """Store records that arrived at this moment; readable ones."""
    records = []
    for topic, said in told:
        event = read(topic, said, NEW + 400 * DAY_MS)
        assert isinstance(event, Event)
        records.append(record(topic, said, appended_at=at, epoch=epoch, key=event.entity_key().encode()))
    write(store, *records)
    return records


def rebuilt(store: Client) -> Views:
    """What the agents make of the history."""
    network = Network()
    for chunk in replay(store):
        for one in chunk:
            network.feed([(one.topic, one.raw)], headers=[one.origin.header()])
    network.run()
    return network.views()


def figures(store: Client) -> dict[tuple[str, str], Any]:
    """The views by key, without how many movements there were."""
    found = {name: json.loads(told) for name, told in rebuilt(store).states.items()}
    for (topic, _), told in found.items():
        if topic == "stock.positions":
            assert told.pop("movements", 0) >= 0
    return found


def tidied(store: Client) -> None:
    """The hour after a run has passed."""
    tidy(store, idle_ms=-1)
    assert number(store, "warehouse_events", "epoch = 0 AND partition = 1") == 0


def number(store: Client, table: str, where: str = "1") -> int:
    return int(store.query(f"SELECT uniqExact(epoch, partition, offset) FROM {table} WHERE {where}").result_rows[0][0])  # noqa: S608  # our own names


def stages(store: Client) -> list[str]:
    return [run.stage for run in runs(store)]


@pytest.fixture(scope="module")
def shared(engine: Callable[[], Client]) -> Client:
    """One database for all tests and examples: to make one takes longer than to empty it."""
    client = engine()
    client.command("CREATE DATABASE shared")
    client.database = "shared"
    migrate(client)
    return client


@pytest.fixture
def store(shared: Client) -> Client:
    """The database, empty."""
    return emptied(shared)


def emptied(store: Client) -> Client:
    for table in (*TABLES, "epochs", "retention_runs", "retention_dropped"):
        store.command(f"TRUNCATE TABLE {table}")
    return store


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


def busy_position() -> list[Told]:
    """A position of two shipments, counted twice, with a correction, a retraction and goods moved and returned."""
    came = [
        movement("received", 1, 40, "S-1"),
        movement("received", 2, 10, "S-1"),
        movement("put_away", 30, 50, "S-1"),
        movement("received", 40, 30, "S-2"),
        movement("returned", 41, 2),
        movement("moved", 42, 5, direction="in"),
        movement("counted", 50, 88),
    ]
    went = [movement(kind, 60 + hour, 2) for hour, kind in enumerate(["picked", "packed", "shipped"] * 8)]
    wrong = movement("shipped", 90, 100)
    gone = movement("scrapped", 91, 7)
    return [
        *came,
        *went,
        wrong,
        correction(wrong, 95, quantity="3"),
        gone,
        retraction(gone, 96),
        movement("counted", 99, 60),
    ]


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


class Killed(Exception):
    """The process ends here."""


STEPS: Final = (
    "begun",
    "staged",
    "attached",
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
            network.feed([(one.topic, one.raw)], headers=[one.origin.header()])
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
    monkeypatch.setattr("sinks.retention.runs.openings", wrong)
    with pytest.raises(Exception, match="do not add up"):
        retain(store, CUTOFF)
    assert store.query("SELECT event_id, raw FROM warehouse_events ORDER BY offset").result_rows == before
    assert stages(store) == ["abandoned"]


# --- orders, shipments, and what else is kept ---


def journey() -> list[Told]:
    """An order and its shipment, from its placing to its end, with all that a carrier tells on the way."""
    goods = [line("1", 80, order_id="PO-1")]
    promised = milestone("S-1", "departed", 10, lines=goods, promised_at=rfc3339(BEGIN + 40 * HOUR_MS), **ROUTE)
    first = placed("PO-1", 0, [line("1", 70, promised_at=rfc3339(BEGIN + 45 * HOUR_MS))])
    mistake = milestone("S-1", "customs_hold", 20)
    return [
        first,
        correction(first, 1, lines=[line("1", 80, promised_at=rfc3339(BEGIN + 45 * HOUR_MS))]),
        notice("PO-1", "S-1", 5, [line("1", 80)]),
        retraction(of_order("order_cancelled", "PO-1", 6), 7),
        milestone("S-1", "arrived", 30, "planned"),
        milestone("S-1", "arrived", 35, "estimated"),
        correction(promised, 9, carrier="RoadCo"),
        promised,
        *(position("S-1", hour) for hour in range(11, 40)),
        *(condition("S-1", hour, temperature="9", temperature_max="8") for hour in range(11, 13)),
        *(condition("S-1", hour, temperature="5", temperature_max="8") for hour in range(13, 40)),
        mistake,
        retraction(mistake, 21),
        milestone("S-1", "delivered", 50),
    ]


ROUTE: Final = {"origin": "NBO", "destination": SITE, "carrier": "Blue Line"}


def position(shipment_id: str, hour: float) -> Told:
    told = condition(shipment_id, hour, event_id=f"{shipment_id}/position@{hour}", type="position")
    return correction(told, hour, latitude=str(hour), longitude="1.5")


def known(store: Client) -> None:
    """Store what the agents publish of orders and shipments, as epoch 1, which is shown."""
    epochs.begin(store, 1)
    epochs.end(store, 1)
    kinds = {"order.status", "shipment.status", "exceptions"}
    told = [
        record(topic, b'{"version":[1,1],"state":' + said + b"}", appended_at=NEW)
        for (topic, _), said in rebuilt(store).states.items()
        if topic in kinds
    ]
    write(store, *told)


def late_event(store: Client, told: Told, at: int) -> Record:
    """Store an event that came too late, and that it did."""
    (one,) = put(store, [told], at)
    place = (one.epoch, one.topic, one.partition, one.offset)
    late = LateRecord(*place, at, f"{SITE}|{ITEM}", "its day has closed", told.raw)
    write(store, record("late.records", encode(late), appended_at=at))
    return one


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


def test_what_another_process_may_be_staging_is_left_alone_and_nothing_is_begun_beside_it(store: Client) -> None:
    put(store, busy_position(), CUTOFF - DAY_MS)

    def step(name: str) -> None:
        raise Killed(name)

    with pytest.raises(Killed, match="begun"):
        retain(store, CUTOFF, step)
    with pytest.raises(WrongInput, match="under way"):
        retain(store, CUTOFF, idle_ms=HOUR_MS)
    assert stages(store) == ["begun"]
