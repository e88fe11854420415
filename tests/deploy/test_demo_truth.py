"""The truth behind the demo can be computed from its emissions: goods are conserved, lateness is there."""

from collections import defaultdict
from itertools import takewhile

import pytest

from deploy.demo.network import network
from schemas.event import Event
from schemas.quantities import thousandths
from schemas.shipment import MilestoneReported
from schemas.times import DAY_MS, MINUTE_MS, SECOND_MS
from schemas.warehouse import Moved, Received
from schemas.wire import Rejection
from tests.deploy.demo_oracle import ENDS, ENTERS, LEAVES, START, Told, books, open_promises, standing, story

LINE = tuple[str, str]


@pytest.mark.parametrize("seed", [1, 2])
def test_stock_computed_from_the_events_is_the_stock_in_truth(seed: int) -> None:
    told = story(seed)
    found = books(told.truth)
    assert {key: book.on_hand for key, book in found.items()} == told.network.stock


def test_stock_is_only_right_when_late_and_corrected_reports_are_in() -> None:
    told = story()
    found = books(standing(told.told))
    assert {key: book.on_hand for key, book in found.items()} != told.network.stock


@pytest.mark.parametrize("seed", [1, 2])
def test_goods_are_conserved_at_every_site(seed: int) -> None:
    for book in books(story(seed).truth).values():
        entered = sum(book.sums[kind] for kind in ENTERS)
        left = sum(book.sums[kind] for kind in LEAVES)
        assert entered + book.variance == book.on_hand + left


def test_stock_was_never_negative_in_truth() -> None:
    assert all(book.lowest == 0 for book in books(story().truth).values())


def test_some_positions_run_out() -> None:
    assert any(book.on_hand == 0 for seed in (1, 2) for book in books(story(seed).truth).values())


def test_what_moves_between_sites_arrives_there_whole() -> None:
    out: dict[str, Moved] = {}
    back: dict[str, Moved] = {}
    for event in story().truth:
        if isinstance(event, Moved):
            number = event.references.booking
            assert number is not None
            half = out if event.direction == "out" else back
            assert number not in half
            half[number] = event
    assert back
    for number, arrival in back.items():
        assert (arrival.item, arrival.quantity) == (out[number].item, out[number].quantity)
        assert arrival.site != out[number].site
        assert arrival.occurred_at > out[number].occurred_at


def test_a_delivery_hands_over_what_was_shipped_but_for_a_few_pieces() -> None:
    shipped, delivered, received = _lines_of_shipments()
    short = 0
    for line, quantity in delivered.items():
        assert 0 <= shipped[line] - quantity <= 5_000
        short += quantity < shipped[line]
    assert 0 < short < len(delivered) / 20
    assert received
    for line, quantity in received.items():
        assert quantity == delivered[line]


def _lines_of_shipments() -> tuple[dict[LINE, int], dict[LINE, int], dict[LINE, int]]:
    """By (shipment, item), in thousandths: what was booked, what was delivered, what warehouses received."""
    shipped: dict[LINE, int] = defaultdict(int)
    delivered: dict[LINE, int] = defaultdict(int)
    received: dict[LINE, int] = defaultdict(int)
    for event in story().truth:
        if isinstance(event, MilestoneReported):
            kinds = {"booked": shipped, "delivered": delivered}
            if event.classifier == "actual" and event.milestone in kinds:
                for line in event.lines:
                    kinds[event.milestone][event.shipment_id, line.item] += thousandths(line.quantity)
        elif isinstance(event, Received):
            assert event.references.shipment_id is not None
            received[event.references.shipment_id, event.item] += thousandths(event.quantity)
    return shipped, delivered, received


def test_the_shipments_under_way_are_those_that_the_events_leave_open() -> None:
    told = story()
    assert open_promises(told.truth) == told.network.under_way


@pytest.mark.parametrize("seed", [1, 2])
def test_some_shipments_are_late_at_any_time_and_most_are_not(seed: int) -> None:
    told = [one for one in story(seed).told if _is_decisive(one.event)]
    days = [START - day * DAY_MS for day in range(9)]
    live = [START + second * SECOND_MS for second in range(20, 180, 20)]
    for now in (*days, *live):
        known = open_promises(standing(_until(told, now)))
        late = sum(promised < now for promised in known.values())
        assert 2 <= late <= 60, (now - START, late)
        assert late < len(known) / 2


def test_late_shipments_do_not_pile_up_as_time_goes_by() -> None:
    running = network(3, START)
    running.skip(120_000)
    counts = []
    for emission in takewhile(lambda emission: emission.at_ms < START + 90 * MINUTE_MS, running):
        late = sum(promised < emission.at_ms for promised in running.under_way.values())
        counts.append((late, len(running.under_way)))
        if len(counts) == 300:
            break
    assert all(1 <= late <= 60 and known < 200 for late, known in counts)


def test_a_carrier_in_trouble_is_late_more_often() -> None:
    told = story().truth
    carrier: dict[str, tuple[str, str]] = {}
    promised: dict[str, float] = {}
    late: dict[bool, list[bool]] = {True: [], False: []}
    troubled = {("MERROW-HAULAGE", "MIL-DC"), ("NORTHGATE-LINES", "HAM-DC"), ("PALISADE-ROAD", "BRU-STORE")}
    troubled |= {("PIGEONHOLE-PARCEL", "PAR-STORE"), ("DOORSTEP-EXPRESS", "CPH-STORE"), ("SWIFTLARK-AIR", "EWR-DC")}
    for event in told:
        if isinstance(event, MilestoneReported) and event.classifier == "actual":
            if event.milestone == "booked" and event.promised_at is not None:
                carrier[event.shipment_id] = (event.carrier or "", event.destination or "")
                promised[event.shipment_id] = event.promised_at.timestamp()
            elif event.milestone == "delivered" and event.shipment_id in promised:
                name = event.shipment_id
                late[carrier[name] in troubled].append(event.occurred_at.timestamp() > promised[name])
    share = {where: sum(found) / len(found) for where, found in late.items()}
    assert len(late[True]) > 20
    assert share[True] > 2 * share[False]


def _is_decisive(event: Event | Rejection) -> bool:
    """Whether it may open or end a shipment: only these are looked at again and again."""
    if not isinstance(event, MilestoneReported) or event.classifier != "actual":
        return False
    return event.milestone == "booked" or event.milestone in ENDS


def _until(told: list[Told], now: int) -> list[Told]:
    return list(takewhile(lambda one: one.emission.at_ms <= now, told))
