"""The audit finds what is wrong, each kind of it, and nothing where nothing is."""

import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from schemas.coordinates import Coordinate
from schemas.times import from_ms, rfc3339
from sinks.audit.coordinates import check
from sinks.audit.figures import look
from sinks.audit.questions import EXCEPTIONS, KINDS, LEADS, ORDERS, SHIPMENTS, STOCK, Kind, Scope
from sinks.audit.reading import Extent, Place
from sinks.audit.report import audit
from sinks.audit.states import States, compare
from sinks.migrate import migrate
from sinks.rows import Record
from streams.stock.books import Books
from streams.stock.facts import KINDS as MOVEMENTS
from tests.sinks.audited import asking, audited, keep, played
from tests.sinks.records import record, write
from tests.streams.network import EPOCH, Network
from tests.streams.told import Told, correction, line, milestone, moment, movement, notice, placed, retraction

STORY = (
    placed("PO-1", 1, [line("1", 10), line("2", 4)]),
    notice("PO-1", "S-1", 2, [line("1", 10)]),
    milestone("S-1", "departed", 10, lines=[line("1", 10, order_id="PO-1")], destination="BER", origin="NBO"),
    milestone("S-1", "delivered", 40),
    movement("received", 41, 9, "S-1"),
    movement("put_away", 42, 9, "S-1"),
    movement("counted", 50, 7),
    movement("shipped", 60, 2),
)
LATER = movement("scrapped", 70, 1)
POSITION = "BER|acme:4711"


@pytest.fixture(scope="module")
def store(engine: Callable[[], Client]) -> Client:
    """One database for all tests: `keep` empties it."""
    client = engine()
    client.command("CREATE DATABASE shared")
    client.database = "shared"
    migrate(client)
    return client


def fields(states: States) -> dict[tuple[str, str], tuple[Any, Any]]:
    """What differs: published and recomputed by entity and field."""
    return {(one.entity, one.field): (one.published, one.recomputed) for one in states.listed}


def is_event(one: Record, told: Told) -> bool:
    """Whether the record holds this event."""
    return one.topic == told.topic and one.value == told.raw


def test_nothing_is_found_where_nothing_is_wrong(store: Client) -> None:
    told = [
        *STORY,
        LATER,
        retraction(LATER, 80),
        correction(STORY[4], 81, quantity="8"),
        STORY[3],
        Told("shipment.events", b"{"),
    ]
    keep(store, played(told))
    report = audit(asking(store), lambda: None, lambda: check(asking(store), EPOCH, (), lambda _: {}))
    assert report.is_clean
    assert report.states.compared["stock"] == report.states.compared["shipments"] == 1
    assert report.states.compared["orders"] == 1
    assert report.states.compared["lead_times_of_shipments"] >= 1
    told_of = json.loads(json.dumps(report.as_dict()))
    assert (told_of["compared"], told_of["differences"], told_of["late"]) == (
        sum(report.states.compared.values()),
        0,
        0,
    )
    assert told_of["coordinates_missing"] == told_of["moved_entities"] == told_of["moving"] == 0
    assert [one["epoch"] for one in told_of["epochs"]] == [EPOCH]


def test_an_event_that_is_missing_in_the_history_is_found_with_the_events_behind(store: Client) -> None:
    keep(store, played(STORY), leave_out=lambda one: is_event(one, STORY[7]))
    states = audited(store, [STOCK])
    assert fields(states)[POSITION, "on_hand"] == (5_000, 7_000)
    assert fields(states)[POSITION, "shipped"] == (2_000, 0)
    behind = {event.event_id for event in states.listed[0].events}
    assert json.loads(STORY[6].raw)["event_id"] in behind
    assert all(
        event.coordinate.split("/")[:2] in (["7", "warehouse.events"], ["7", "shipment.events"])
        for event in states.listed[0].events
    )


def test_an_event_that_stands_at_two_coordinates_counts_once(store: Client) -> None:
    keep(store, played(STORY))
    write(store, record("warehouse.events", STORY[7].raw, epoch=EPOCH, offset=900))
    assert not audited(store, [STOCK]).differing


def test_an_event_that_is_doubled_under_another_identity_is_found(store: Client) -> None:
    keep(store, played(STORY))
    doubled = json.dumps(json.loads(STORY[7].raw) | {"event_id": "again"}).encode()
    write(store, record("warehouse.events", doubled, epoch=EPOCH, offset=900))
    assert fields(audited(store, [STOCK]))[POSITION, "on_hand"] == (5_000, 3_000)


def changed(network: Network, topic: str, **figures: Any) -> None:
    """Publish the last state of a view once more under a greater version, with other figures."""
    last = next(log[-1] for place, log in network.topics.items() if place.topic == topic and log)
    said = msgspec.json.decode(last.value or b"")
    said["version"][1] += 1_000
    said["state"] |= figures
    network.append(place_of(network, topic), last.key, msgspec.json.encode(said))


def place_of(network: Network, topic: str) -> Any:
    """Where the view's records stand."""
    return next(place for place, log in network.topics.items() if place.topic == topic and log)


@pytest.mark.parametrize(
    ("kind", "topic", "figures", "found"),
    [
        (STOCK, "stock.positions", {"on_hand": 1}, (POSITION, "on_hand", 1, 5_000)),
        (STOCK, "stock.positions", {"in_transit": 3}, (POSITION, "in_transit", 3, 0)),
        (SHIPMENTS, "shipment.status", {"status": "departed"}, ("S-1", "status", "departed", "delivered")),
        (ORDERS, "order.status", {"supplier": "Other"}, ("PO-1", "supplier", "Other", "Acme Ltd")),
    ],
)
def test_a_wrong_figure_is_found(
    store: Client, kind: Kind, topic: str, figures: dict[str, Any], found: tuple[Any, ...]
) -> None:
    network = played(STORY)
    changed(network, topic, **figures)
    keep(store, network)
    (one,) = audited(store, [kind]).listed
    assert (one.entity, one.field, one.published, one.recomputed) == found
    assert one.events


def test_a_wrong_lead_time_is_found(store: Client) -> None:
    network = played(STORY[:6])
    changed(network, "lead.stats", last_day=1)
    keep(store, network)
    found = [one for kind in LEADS for one in audited(store, [kind]).listed]
    assert [(one.field, one.published) for one in found] == [("last_day", 1)]
    assert found[0].events


def test_a_wrong_figure_of_a_line_is_named(store: Client) -> None:
    network = played(STORY)
    lines = msgspec.json.decode(network.views().states["shipment.status", "S-1"])["lines"]
    changed(network, "shipment.status", lines=[lines[0] | {"delivered": 1}])
    keep(store, network)
    assert fields(audited(store, [SHIPMENTS])) == {("S-1", "lines.0.delivered"): (1, 10_000)}


def test_a_stale_view_is_found(store: Client) -> None:
    network = played(STORY)
    before = {place: len(log) for place, log in network.topics.items()}
    network.feed([LATER])
    network.run()
    keep(
        store,
        network,
        leave_out=lambda one: one.topic == "stock.positions" and one.offset >= before[place_of(network, one.topic)],
    )
    assert fields(audited(store, [STOCK]))[POSITION, "scrapped"] == (0, 1_000)


def test_a_missing_view_is_found(store: Client) -> None:
    keep(store, played(STORY), leave_out=lambda one: one.topic == "stock.positions")
    (one,) = audited(store, [STOCK]).listed
    assert (one.entity, one.field, one.published) == (POSITION, "view", None)
    assert one.recomputed["on_hand"] == 5_000


def test_a_view_that_nothing_is_behind_is_found(store: Client) -> None:
    keep(store, played(STORY), leave_out=lambda one: one.topic in {"supplier.events", "shipment.events"})
    (one,) = audited(store, [ORDERS]).listed
    assert (one.entity, one.field, one.recomputed) == ("PO-1", "view", None)


def test_a_broken_rule_is_found(store: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Books.take

    def without_counts(self: Books, move: Any) -> None:
        if MOVEMENTS[move.kind] != "counted":
            real(self, move)

    monkeypatch.setattr(Books, "take", without_counts)
    keep(store, played(STORY))
    found = fields(audited(store, [STOCK]))
    assert found[POSITION, "on_hand"] == (7_000, 5_000)
    assert found[POSITION, "count_variance"] == (0, -2_000)


def test_an_event_that_came_too_late_is_left_out_and_told_apart(store: Client) -> None:
    network = played(STORY)
    network.feed([LATER])
    keep(store, network)
    assert audited(store, [STOCK]).differing
    (place,) = [place for place, log in network.topics.items() if log and log[-1].value == LATER.raw]
    offset = network.topics[place][-1].offset
    row = (EPOCH, LATER.topic, place.partition, offset, 0, POSITION, "acme", "x", "late", LATER.raw)
    names = ["epoch", "topic", "partition", "offset", "appended_at", "entity", "source", "event_id", "reason", "value"]
    store.insert("late_event_records", [row], column_names=names)
    assert not audited(store, [STOCK]).differing
    report = audit(asking(store), lambda: None, lambda: check(asking(store), EPOCH, (), lambda _: {}))
    assert report.late == 1
    assert report.is_clean


def test_what_was_on_its_way_is_no_difference_and_what_keeps_changing_is_told_as_moving(store: Client) -> None:
    whole = played([*STORY, LATER])
    keep(store, whole, leave_out=lambda one: is_event(one, LATER))
    late = next(one for log in whole.topics.values() for one in log if one.value == LATER.raw)

    def arrives() -> None:
        write(store, Record(EPOCH, late.topic, late.partition, late.offset, late.timestamp, late.key, late.value))

    states = audited(store, [STOCK], settle=arrives)
    assert (states.differing, states.moving) == (0, ())

    numbers = itertools.count()

    def goes_on() -> None:
        more = movement("scrapped", 80 + next(numbers), 1)
        write(store, record(more.topic, more.raw, epoch=EPOCH))

    goes_on()
    states = audited(store, [STOCK], settle=goes_on)
    assert (states.differing, states.moving) == (0, (f"stock/{POSITION}",))


def test_a_missing_coordinate_is_found_where_a_record_stands(store: Client) -> None:
    network = played(STORY)
    keep(store, network, leave_out=lambda one: is_event(one, STORY[5]))
    (place,) = [place for place, log in network.topics.items() if place.topic == "warehouse.events" and log]
    offset = next(one.offset for one in network.topics[place] if one.value == STORY[5].raw)
    extent = Extent(place.topic, place.partition, 0, len(network.topics[place]))
    found = check(asking(store), EPOCH, [extent], lambda wanted: {one: list(told) for one, told in wanted.items()})
    assert found.missing == 1
    assert found.listed == (Coordinate(EPOCH, place.topic, place.partition, offset),)
    # A gap where no record stands, as a transaction leaves it, is none; nor is what the history has not read yet.
    assert not check(asking(store), EPOCH, [extent], lambda wanted: {one: [] for one in wanted}).missing
    unread = Extent(place.topic, place.partition, 0, offset)
    assert not check(asking(store), EPOCH, [unread], _never).missing


def _never(_: dict[Place, Any]) -> dict[Place, list[int]]:
    raise AssertionError


def test_a_gap_in_the_epoch_of_a_broker_that_is_gone_is_found(store: Client) -> None:
    network = played(STORY)
    keep(store, network, leave_out=lambda one: is_event(one, STORY[5]))
    found = check(asking(store), EPOCH + 1, [], _never)
    assert (found.missing, [one.topic for one in found.listed]) == (1, ["warehouse.events"])
    assert [(one.epoch, one.missing) for one in found.epochs] == [(EPOCH, 1)]


def test_dead_and_replayed_records_are_accounted_for(store: Client) -> None:
    keep(store, played([*STORY, Told("warehouse.events", b"{"), movement("shipped", 61, 1)]))
    assert not check(asking(store), EPOCH + 1, [], _never).missing


def test_an_event_that_was_said_of_two_entities_is_told(store: Client) -> None:
    elsewhere = correction(STORY[7], 90, site="NBO")
    keep(store, played([*STORY, elsewhere]))
    report = audit(asking(store), lambda: None, lambda: check(asking(store), EPOCH, (), lambda _: {}))
    assert report.is_clean
    (moved,) = report.moved
    assert (moved.topic, moved.entities) == ("warehouse.events", (POSITION, "NBO|acme:4711"))


TROUBLE = (
    *STORY,
    milestone("S-9", "departed", 5, lines=[line("1", 3)], promised_at=moment(20), destination="BER", origin="NBO"),
    milestone("S-9", "arrived", 15, "planned"),
    milestone("S-8", "departed", 5, lines=[line("1", 3)], destination="MUC", origin="NBO"),
    milestone("S-8", "delivered", 25, lines=[line("1", 2)]),
    movement("shipped", 60, 2, site="NBO"),
    movement("received", 60, 2, site="HAM"),
    movement("shipped", 61, 2, site="HAM"),
)
OPEN = {
    "late_delivery/shipment/S-9",
    "overdue_milestone/shipment/S-9",
    "quantity_mismatch/shipment/S-8",
    "quantity_mismatch/stock/BER|acme:4711",
    "quantity_mismatch/stock/MUC|acme:4711",
    "negative_stock/stock/NBO|acme:4711",
    "stockout/stock/HAM|acme:4711",
}


def test_exceptions_that_were_not_published_are_found_each_with_events(store: Client) -> None:
    network = played(TROUBLE)
    keep(store, network)
    states = audited(store, [EXCEPTIONS])
    assert (states.compared, states.listed) == ({"exceptions": len(OPEN)}, ())
    keep(store, network, leave_out=lambda one: one.topic == "exceptions")
    found = audited(store, [EXCEPTIONS]).listed
    assert {one.entity for one in found} == OPEN
    assert {(one.field, one.published) for one in found} == {("view", None)}
    assert all(one.events for one in found)


def test_an_exception_that_is_over_and_still_published_is_found(store: Client) -> None:
    network = played(TROUBLE)
    before = {place: len(log) for place, log in network.topics.items()}
    network.feed([milestone("S-9", "delivered", 50, lines=[line("1", 3)])])
    network.run()
    keep(store, network)
    assert not audited(store, [EXCEPTIONS]).listed
    keep(store, network, lambda one: one.topic == "exceptions" and _is_new(one, before))
    found = {one.entity: one.recomputed for one in audited(store, [EXCEPTIONS]).listed}
    assert found == {"late_delivery/shipment/S-9": None, "overdue_milestone/shipment/S-9": None}


def _is_new(one: Record, before: dict[Any, int]) -> bool:
    return any(
        (place.topic, place.partition) == (one.topic, one.partition) and one.offset >= count
        for place, count in before.items()
    )


def test_an_exception_that_is_said_to_be_open_since_another_time_is_found(store: Client) -> None:
    network = played(TROUBLE)
    records = [one for log in network.topics.values() for one in log]
    last = next(one for one in reversed(records) if one.key == b"stock/NBO|acme:4711" and one.topic == "exceptions")
    said = msgspec.json.decode(last.value or b"")
    said["version"][1] += 1_000
    said["state"]["exceptions"][0]["opened_at"] += 1
    network.append(place_of(network, "exceptions"), last.key, msgspec.json.encode(said))
    keep(store, network)
    (one,) = audited(store, [EXCEPTIONS]).listed
    assert (one.entity, one.field) == ("negative_stock/stock/NBO|acme:4711", "opened_at")


@pytest.mark.parametrize(("broken_s", "found"), [(1, 0), (600, 1)])
def test_what_time_opened_a_moment_ago_may_not_be_told_yet(store: Client, broken_s: int, found: int) -> None:
    network = Network()
    due = rfc3339(time.time_ns() // 1_000_000 - broken_s * 1_000)
    network.feed([milestone("S-9", "departed", 5, promised_at=due)])
    network.run()
    keep(store, network)
    assert len(audited(store, [EXCEPTIONS]).listed) == found


def test_times_of_orders_follow_from_what_was_said_and_not_from_the_lines_that_were_published(store: Client) -> None:
    keep(store, played(STORY), leave_out=lambda one: one.topic == "order.status")
    assert not audited(store, [LEADS[1]]).listed
    row = (EPOCH, "delivery.contributions", 0, 1, 0, "PO-1", "", "", "its order had closed", b"")
    names = ["epoch", "topic", "partition", "offset", "appended_at", "entity", "source", "event_id", "reason", "value"]
    store.insert("late_event_records", [row], column_names=names)
    assert {one.field for one in audited(store, [LEADS[1]]).listed} == {"view"}
    keep(store, played(STORY))
    store.insert("late_event_records", [row], column_names=names)
    assert not audited(store, [LEADS[1]]).listed


def test_slices_together_find_what_one_question_finds(store: Client) -> None:
    keep(store, played(STORY))
    ask = asking(store)
    whole = look(ask, STOCK, [Scope()], 10)
    parts = look(ask, STOCK, [Scope(number, 3) for number in range(3)], 10)
    assert (whole.compared, whole.differing) == (parts.compared, parts.differing) == (1, 0)


def test_every_figure_has_a_name(store: Client) -> None:
    keep(store, Network())
    for kind in KINDS:
        assert compare(asking(store), lambda: None, [kind]).compared == {kind.name: 0}


def mark(store: Client, began_s_ago: int, *, begins: bool, inserted_s_ago: int = 0) -> None:
    """A mark of a load of history."""
    now = time.time_ns() // 1_000_000
    appended, inserted = now - began_s_ago * 1_000, now - inserted_s_ago * 1_000
    row = (EPOCH, "shipment.events", 0, 5_000 - begins, from_ms(appended), "audited", int(begins), from_ms(inserted))
    names = ["epoch", "topic", "partition", "offset", "appended_at", "load", "begins", "inserted_at"]
    store.insert("load_marks", [row], column_names=names)


def test_what_time_opens_while_history_is_loaded_is_told_after_it(store: Client) -> None:
    network = Network()
    due = rfc3339(time.time_ns() // 1_000_000 - 600_000)
    told = milestone("S-9", "departed", 5, promised_at=due)
    network.feed([told])
    network.run()
    keep(store, network)
    assert len(audited(store, [EXCEPTIONS]).listed) == 1
    mark(store, 3_600, begins=True)
    assert not audited(store, [EXCEPTIONS]).listed
    mark(store, 120, begins=False, inserted_s_ago=120)
    assert len(audited(store, [EXCEPTIONS]).listed) == 1


def test_what_time_had_opened_before_history_was_loaded_is_missed_unless_the_load_tells_of_it(store: Client) -> None:
    network = Network()
    now = time.time_ns() // 1_000_000
    told = milestone("S-9", "departed", 5, promised_at=rfc3339(now - 7_200_000))
    network.feed([told])
    network.run()
    keep(store, network)
    store.command("TRUNCATE TABLE shipment_events")
    write(store, record(told.topic, told.raw, epoch=EPOCH, offset=900, appended_at=now - 7_300_000))
    mark(store, 3_600, begins=True)
    assert len(audited(store, [EXCEPTIONS]).listed) == 1
    write(store, record(told.topic, told.raw, epoch=EPOCH, offset=901, appended_at=now - 3_000_000))
    assert not audited(store, [EXCEPTIONS]).listed
