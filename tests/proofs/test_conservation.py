"""Goods are conserved, whatever the order, the repeats, the corrections, the retractions and the crashes.

Per site and item, from the published position:

    received + returned + moved in + adjusted + count variance = on hand + shipped + moved out + scrapped

Per shipment and item, from the published position and what the shipment said:

    shipped = in transit + (received, if any receipt is known, else delivered) + mismatch

A sum that balances could still be wrong on both sides, so every term but the two that close the balances (count
variance, mismatch) is worked out again from the raw records that stand; on hand by the oracle.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.derived import StockPosition
from schemas.quantities import thousandths
from tests.proofs.standing import standing, views_in_disorder
from tests.streams.network import Network, Views, play
from tests.streams.oracle import expected
from tests.streams.told import ITEM, SITE, Told, correction, line, milestone, movement, retraction

_SITES: Final = ("BER", "NBO")
_SHIPMENTS: Final = ("S-1", "S-2", "S-3")
_KINDS: Final = ("received", "returned", "adjusted", "shipped", "scrapped", "counted", "reserved", "quarantined")
_IN: Final = ("received", "returned", "moved_in", "adjusted")
_OUT: Final = ("shipped", "moved_out", "scrapped")

_seeds = st.integers(0, 2**32)
_amounts = st.integers(0, 12)
_hours = st.integers(1, 300)


def is_conserved(stock: StockPosition) -> bool:
    """Whether the position's balance closes."""
    came = stock.received + stock.returned + stock.moved_in + stock.adjusted + stock.count_variance
    return came == stock.on_hand + stock.shipped + stock.moved_out + stock.scrapped


def _kind(event: Any) -> str:
    return f"moved_{event.direction}" if event.type == "moved" else str(event.type)


def _moved(records: Iterable[Told]) -> dict[str, Counter[str]]:
    """Per `site|item`, the sum of each kind of movement that stands, in thousandths."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for said in standing(records):
        if said.identity[0] == "warehouse.events":
            found[said.identity[1]][_kind(said.event)] += thousandths(said.event.quantity)
    return found


def _check_positions(views: Views, records: Sequence[Told]) -> None:
    moved, on_hand = _moved(records), expected(records).on_hand
    assert {key for key in views.keys("stock.positions") if views.stock(*key.split("|")).movements} == set(moved)
    for key, sums in moved.items():
        stock = views.stock(*key.split("|"))
        assert is_conserved(stock), key
        told = {kind: getattr(stock, kind) for kind in (*_IN, *_OUT)}
        assert told == {kind: sums[kind] for kind in told}, key
        assert stock.available == stock.on_hand - stock.reserved - stock.quarantined
        assert stock.on_hand == on_hand[key], key


@st.composite
def _days(draw: st.DrawFn) -> list[Told]:
    """What happened to one item at two sites, with corrections and retractions of some of it."""
    told = []
    for number in range(draw(st.integers(1, 14))):
        said: dict[str, Any] = {"event_id": f"m{number}", "site": draw(st.sampled_from(_SITES))}
        kind = draw(st.sampled_from((*_KINDS, "moved")))
        if kind == "moved":
            said["direction"] = draw(st.sampled_from(("in", "out")))
        told.append(movement(kind, draw(_hours), draw(_amounts), **said))
    return told + [draw(_said_again(draw(st.sampled_from(told)))) for _ in range(draw(st.integers(0, 4)))]


@st.composite
def _said_again(draw: st.DrawFn, told: Told) -> Told:
    recorded = draw(st.integers(400, 402))
    if draw(st.booleans()):
        return retraction(told, recorded)
    return correction(told, recorded, **_changed(draw, told))


def _changed(draw: st.DrawFn, told: Told) -> dict[str, Any]:
    if told.topic == "warehouse.events":
        return {"quantity": str(draw(_amounts))}
    return {"destination": draw(st.sampled_from(_SITES))} if b"departed" in told.raw else {"lines": []}


@settings(max_examples=400, deadline=None)
@given(told=_days(), seed=_seeds)
def test_goods_are_conserved_per_site_and_item(told: list[Told], seed: int) -> None:
    _check_positions(views_in_disorder(told, seed), told)


@settings(max_examples=8, deadline=None)
@given(days=st.lists(st.tuples(st.sampled_from(_KINDS), _hours, _amounts), min_size=100, max_size=160), seed=_seeds)
def test_goods_are_conserved_at_every_moment_over_many_movements(days: list[tuple[str, int, int]], seed: int) -> None:
    told = [movement(kind, hour, amount, event_id=f"m{number}") for number, (kind, hour, amount) in enumerate(days)]
    told += [correction(one, 400, quantity="7") for one in told[::10]]
    told += [retraction(one, 401) for one in told[5:100:10]]
    Random(seed).shuffle(told)
    network = Network()
    for number, one in enumerate(told):  # without a restart: positions that are kept up to date step by step
        network.feed([one])
        network.run()
        _check_positions(network.views(), told[: number + 1])


@dataclass(slots=True)
class _Sent:
    """What one shipment is known to bring of one item to one site, in thousandths."""

    shipped: int = 0
    delivered: int = 0
    received: int | None = None
    is_final: bool = False

    @property
    def arrived(self) -> int:
        return self.delivered if self.received is None else self.received


@dataclass(slots=True)
class _Books:
    """The milestones of one shipment that stand, by name."""

    stands: dict[str, Any] = field(default_factory=dict)

    def sent(self) -> dict[str, _Sent]:
        """Per `site|item`. The shipments of these tests tell lines when they depart and when they arrive only."""
        departed, delivered = self.stands.get("departed"), self.stands.get("delivered")
        turned_back = delivered is None and ("cancelled" in self.stands or "returned" in self.stands)
        if departed is None or turned_back:
            return {}
        found: dict[str, _Sent] = defaultdict(_Sent)
        handed = {one.line_id: thousandths(one.quantity) for one in delivered.lines} if delivered else {}
        for one in departed.lines:
            sent = found[f"{departed.destination}|{one.item}"]
            quantity = thousandths(one.quantity)
            sent.shipped += quantity
            sent.is_final = not self.stands.keys().isdisjoint({"delivered", "returned", "cancelled"})
            if delivered is not None:
                sent.delivered += handed.get(one.line_id, 0) if delivered.lines else quantity
        return found


def _sent(records: Iterable[Told]) -> Mapping[str, Mapping[str, _Sent]]:
    """Per `site|item`, per shipment, what is known of it from the records that stand."""
    books: dict[str, _Books] = defaultdict(_Books)
    receipts: Counter[tuple[str, str]] = Counter()
    for said in standing(records):
        if said.identity[0] == "shipment.events":
            books[said.identity[1]].stands[said.event.milestone] = said.event
        elif said.event.type == "received" and said.event.references.shipment_id:
            receipts[said.identity[1], said.event.references.shipment_id] += thousandths(said.event.quantity)
    found: dict[str, dict[str, _Sent]] = defaultdict(dict)
    for shipment, known in books.items():
        for key, sent in known.sent().items():
            sent.received = receipts.get((key, shipment))
            found[key][shipment] = sent
    return found


def _check_transits(views: Views, records: Iterable[Told]) -> None:
    told = _sent(records)
    for key in views.keys("stock.positions") | told.keys():
        stock, sent = views.stock(*key.split("|")), told.get(key, {}).values()
        shipped, arrived = sum(one.shipped for one in sent), sum(one.arrived for one in sent)
        assert shipped == stock.in_transit + arrived + stock.mismatch, key
        under_way = sum(max(one.shipped - one.arrived, 0) for one in sent if not one.is_final)
        assert stock.in_transit == under_way, key


@st.composite
def _journeys(draw: st.DrawFn, *, shared: bool) -> list[Told]:
    """Shipments and what was received of them. `shared`: they bring the same item, else each its own."""
    told = []
    for shipment in _SHIPMENTS[: draw(st.integers(1, 3))]:
        item = ITEM if shared else f"acme:{shipment}"
        goods = [line(str(n), draw(_amounts), item) for n in range(1, draw(st.integers(1, 2)) + 1)]
        told.append(milestone(shipment, "departed", 10, destination=draw(st.sampled_from(_SITES)), lines=goods))
        if draw(st.booleans()):
            named = [line(one["line_id"], draw(_amounts), item) for one in goods]
            told.append(milestone(shipment, "delivered", 20, lines=draw(st.sampled_from(([], named, named[:1])))))
        if draw(st.integers(0, 3)) == 0:
            told.append(milestone(shipment, draw(st.sampled_from(("cancelled", "returned"))), 30))
        for number in range(draw(st.integers(0, 2))):
            said = {"site": draw(st.sampled_from(_SITES)), "item": item, "event_id": f"{shipment}/r{number}"}
            told.append(movement("received", 25 + number, draw(_amounts), shipment, **said))
    return told + [draw(_said_again(draw(st.sampled_from(told)))) for _ in range(draw(st.integers(0, 4)))]


@settings(max_examples=400, deadline=None)
@given(told=_journeys(shared=False), seed=_seeds)
def test_goods_are_conserved_per_shipment_and_item(told: list[Told], seed: int) -> None:
    _check_transits(views_in_disorder(told, seed), told)


@settings(max_examples=400, deadline=None)
@given(told=_journeys(shared=True), seed=_seeds)
def test_goods_of_several_shipments_are_conserved_together(told: list[Told], seed: int) -> None:
    _check_transits(views_in_disorder(told, seed), told)


_STORY: Final = (
    milestone("S-1", "departed", 10, destination=SITE, lines=[line("1", 10)]),
    milestone("S-1", "delivered", 20, lines=[line("1", 9)]),
    movement("received", 21, 8, "S-1"),
    movement("shipped", 30, 3),
    movement("counted", 40, 4),
    movement("adjusted", 50, -1),
    correction(movement("received", 21, 8, "S-1"), 100, quantity="7"),
    retraction(movement("shipped", 30, 3), 100),
)


def test_the_story_of_the_controls_balances() -> None:
    _check_positions(play(*_STORY), _STORY)
    _check_transits(play(*_STORY), _STORY)
    assert (play(*_STORY).stock(SITE, ITEM).mismatch, play(*_STORY).stock(SITE, ITEM).on_hand) == (3_000, 3_000)


@pytest.mark.parametrize("lost", [4, 5, 6, 7])
def test_a_movement_that_was_lost_is_told_apart(lost: int) -> None:
    kept = [told for number, told in enumerate(_STORY) if number != lost]
    with pytest.raises(AssertionError):
        _check_positions(play(*kept), _STORY)


@pytest.mark.parametrize("lost", [0, 1, 6])
def test_a_shipments_record_that_was_lost_is_told_apart(lost: int) -> None:
    kept = [told for number, told in enumerate(_STORY) if number != lost]
    with pytest.raises(AssertionError):
        _check_transits(play(*kept), _STORY)


def test_a_receipt_that_was_counted_twice_is_told_apart() -> None:
    twice = correction(_STORY[6], 100, event_id="the same goods again")
    with pytest.raises(AssertionError):
        _check_positions(play(*_STORY, twice), _STORY)
    with pytest.raises(AssertionError):
        _check_transits(play(*_STORY, twice), _STORY)
