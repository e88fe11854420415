"""Shipments: what left a site and what came in, over all events that name one shipment.

CBV 2.0 lets a source tell either `shipping` or its steps (`departing` among them), either `receiving` or its steps
(`arriving`, `accepting`). Sources tell both, or scan twice. So of one source, shipment and site a thing leaves once and
comes in once: in by what takes it into stock (receiving, accepting), by `arriving` only where nothing else tells.
`void_shipping` takes a departure back. Milestones say what all events of the shipment add up to.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple

from schemas.epcis.goods import MOST_QUANTITY, Goods
from schemas.epcis.identifiers import identify
from schemas.epcis.mapping import (
    IN,
    MILESTONES,
    OUT,
    VOID,
    Draft,
    Key,
    Site,
    Telling,
    destination_of,
    draft,
    movement,
    references,
    transactions,
)
from schemas.quantities import shown, thousandths

_LINES: Final = 500
"""Lines of one milestone; more are told in several."""


class Move(NamedTuple):
    """Goods of one event that belong to one shipment. `is_named`: the event names it, not a container of its own."""

    telling: Telling
    shipment: str
    is_named: bool
    place: Site | None
    goods: tuple[Goods, ...]

    @property
    def order(self) -> tuple[Any, ...]:
        """By time; at one instant, leaving before taking it back."""
        return self.telling.event.event_time, self.telling.step == VOID, self.telling.key


@dataclass(slots=True)
class _Tally:
    """What of a move counts. `is_void`: all of it was taken back, whether it counted here or elsewhere."""

    move: Move
    goods: list[Goods] = field(default_factory=list)
    number: int = 0
    is_void: bool = False


def shipment_drafts(moves: Sequence[Move]) -> tuple[list[tuple[Key, Draft]], list[tuple[Key, str]]]:
    """All that follows from the moves of one shipment: events of ours, and notes, each with its EPCIS event."""
    drafts: list[tuple[Key, Draft]] = []
    notes: list[tuple[Key, str]] = []
    ordered = sorted(moves, key=lambda move: move.order)
    left, came = _left(ordered, notes), _came(ordered, notes)
    for tally in left:
        drafts += [(tally.move.telling.key, one) for one in _movements(tally, "shipped")]
    for tally in came:
        kind = "returned" if _is_return(tally.move) else "received"
        drafts += [(tally.move.telling.key, one) for one in _movements(tally, kind)]
    drafts += _departures(left)
    drafts += _arrivals(ordered, left, came)
    return drafts, notes


def _left(moves: Iterable[Move], notes: list[tuple[Key, str]]) -> list[_Tally]:
    """What left, move by move, without what left already and what was taken back since."""
    tallies: list[_Tally] = []
    away: defaultdict[tuple[str, str], dict[str, _Tally]] = defaultdict(dict)
    departed: defaultdict[str, _Departed] = defaultdict(_Departed)
    for move in moves:
        source, site = move.telling.key.source, move.place.name if move.place else ""
        if move.telling.step in OUT:
            tally = _Tally(move)
            tallies.append(tally)
            gone = away[source, site]
            again: list[str] = []
            for goods in move.goods:
                if not goods.thing:
                    tally.goods.append(goods)
                elif goods.thing in gone:
                    again.append(goods.thing)
                else:
                    tally.goods.append(goods)
                    gone[goods.thing] = tally
            if again:
                notes.append((move.telling.key, f"{_and_more(again)} left with this shipment already: told once."))
            departed[source].add(tally)
        elif move.telling.step == VOID and not departed[source].take_back(move, away):
            notes.append((move.telling.key, "It takes back a shipping that nobody told of: nothing changes."))
    for tally in tallies:
        departed[tally.move.telling.key.source].judge(tally)
    return tallies


class _Departed:
    """What left by one source, found by what it names: a void_shipping looks at nothing else."""

    def __init__(self) -> None:
        self._by_name: Final[defaultdict[str, dict[int, _Tally]]] = defaultdict(dict)
        self._by_sort: Final[defaultdict[tuple[str, str, str], list[_Tally]]] = defaultdict(list)
        self._back: Final[dict[str, int]] = {}
        self._number = 0

    def add(self, tally: _Tally) -> None:
        """One more departure."""
        self._number += 1
        tally.number = self._number
        for name in {one.thing for one in tally.goods if one.thing}.union(_named(tally.move)):
            self._by_name[name][self._number] = tally
        for sort in {one.sort for one in tally.goods if not one.thing}:
            self._by_sort[sort].append(tally)

    def judge(self, tally: _Tally) -> None:
        """Find out whether all of a departure was taken back after it."""
        told = tally.move.goods
        tally.is_void = (
            bool(told)
            and not tally.goods
            and all(self._back.get(one.thing, 0) >= tally.number for one in told if one.thing)
        )

    def take_back(self, move: Move, away: Mapping[tuple[str, str], dict[str, _Tally]]) -> bool:
        """Take what a void names (or what is in it) out of what left; whether there was anything."""
        names = {goods.thing for goods in move.goods if goods.thing}.union(_named(move))
        named: dict[int, _Tally] = {}
        for name in names:
            named |= self._by_name.pop(name, {})  # what was taken back once is not there any more
            self._back[name] = self._number
        found = False
        for tally in named.values():
            back = {one.thing for one in tally.move.goods if one.thing in names or one.through.canonical in names}
            self._back.update(dict.fromkeys(back, self._number))
            kept = [one for one in tally.goods if not one.thing or one.thing not in back]
            found = found or len(kept) < len(tally.goods)
            tally.goods[:] = kept
            gone = away[tally.move.telling.key.source, tally.move.place.name if tally.move.place else ""]
            for thing in back:
                if gone.get(thing) is tally:
                    del gone[thing]
        for goods in move.goods:
            if not goods.thing:
                found = self._reduce(goods) or found
        return found

    def _reduce(self, goods: Goods) -> bool:
        """Take so much of a class out of what left, the last departure first."""
        rest, tallies = goods.quantity, self._by_sort[goods.sort]
        while tallies and rest:
            tally = tallies[-1]
            for place, one in reversed(list(enumerate(tally.goods))):
                if one.thing or one.sort != goods.sort or not rest:
                    continue
                taken = min(rest, one.quantity)
                rest -= taken
                if taken == one.quantity:
                    del tally.goods[place]
                else:
                    tally.goods[place] = one._replace(quantity=one.quantity - taken)
            if rest:
                tallies.pop()
        return rest < goods.quantity


def _came(moves: Sequence[Move], notes: list[tuple[Key, str]]) -> list[_Tally]:
    """What came in, move by move: once each, `arriving` only what nothing else takes into stock."""
    inward = [move for move in moves if move.telling.step in IN]
    tallies: list[_Tally] = []
    here: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    sorts: set[tuple[str, str, tuple[str, str, str]]] = set()
    for is_arrival in (False, True):
        for move in inward:
            if (move.telling.step == "arriving") != is_arrival:
                continue
            source, site = move.telling.key.source, move.place.name if move.place else ""
            tally = _Tally(move)
            tallies.append(tally)
            came = here[source, site]
            again: list[str] = []
            for goods in move.goods:
                if goods.thing in came if goods.thing else is_arrival and (source, site, goods.sort) in sorts:
                    again.append(goods.thing or goods.item)
                    continue
                tally.goods.append(goods)
                if goods.thing:
                    came.add(goods.thing)
                elif not is_arrival:
                    sorts.add((source, site, goods.sort))
            if again:
                notes.append((move.telling.key, f"{_and_more(again)} came into stock by another event."))
    return tallies


def _movements(tally: _Tally, kind: str) -> Iterable[Draft]:
    move = tally.move
    if move.place is None:
        return
    for goods in summed(tally.goods):
        extra = {
            "references": references(move.telling.event, move.shipment, None if move.is_named else goods.through),
            "by_container": "" if move.is_named else move.shipment,
        }
        yield movement(move.telling, kind, goods, move.place, extra)


def _departures(left: Iterable[_Tally]) -> list[tuple[Key, Draft]]:
    """Of each source: the first `shipping` and the first `departing`, with all that it sent."""
    drafts: list[tuple[Key, Draft]] = []
    by_source: defaultdict[str, list[_Tally]] = defaultdict(list)
    for tally in left:
        if not tally.is_void:
            by_source[tally.move.telling.key.source].append(tally)
    for tallies in by_source.values():
        lines = _lines(tallies)
        for step in sorted(OUT):
            first = next((tally.move for tally in tallies if tally.move.telling.step == step), None)
            if first is not None:
                site = first.place.name if first.place else None
                places = {"origin": site, "destination": destination_of(first.telling.event)}
                drafts += [(first.telling.key, one) for one in milestone(first, lines=lines, **places)]
    return drafts


def _arrivals(moves: Sequence[Move], left: Sequence[_Tally], came: Sequence[_Tally]) -> list[tuple[Key, Draft]]:
    """Of each source: the last arrival, and the last receipt, which delivers; and what happens on the way."""
    drafts: list[tuple[Key, Draft]] = []
    last: dict[tuple[str, str], Move] = {}
    for move in moves:
        step = move.telling.step
        if step in MILESTONES and step not in OUT and not _is_return(move):
            last[move.telling.key.source, MILESTONES[step]] = move
    for (source, name), move in sorted(last.items()):
        site = move.place.name if move.place else None
        if name == "delivered":
            lines = _received(source, left, [tally for tally in came if _same(tally, source)])
            drafts += [(move.telling.key, one) for one in milestone(move, lines=lines, destination=site)]
        else:
            drafts += [(move.telling.key, one) for one in milestone(move)]
    return drafts


def milestone(move: Move, *, lines: Sequence[dict[str, str]] = (), **places: str | None) -> Iterable[Draft]:
    """The milestone that a move's step is, in parts where it has many lines."""
    name = MILESTONES[move.telling.step]
    for start in range(0, max(len(lines), 1), _LINES):
        suffix = "/".join(part for part in (name, "" if move.is_named else move.shipment) if part)
        suffix += f"/{start // _LINES + 1}" if start else ""
        yield draft(
            move.telling,
            suffix,
            "milestone",
            shipment_id=move.shipment,
            milestone=name,
            classifier="actual",
            location=move.place.name if move.place else None,
            lines=list(lines[start : start + _LINES]),
            references=_milestone_references(move),
            attributes=dict(move.place.attributes) if move.place else {},
            **places,
        )


def summed(goods: Iterable[Goods]) -> list[Goods]:
    """One for each item, lot and unit, in their order."""
    by_sort: dict[tuple[str, str, str], Goods] = {}
    for one in sorted(goods, key=lambda one: (one.sort, one.through.canonical, one.thing)):
        so_far = by_sort.get(one.sort)
        if so_far is None:
            by_sort[one.sort] = one
        else:
            told_by = tuple(sorted({*so_far.told_by, *one.told_by}))
            by_sort[one.sort] = so_far._replace(quantity=so_far.quantity + one.quantity, told_by=told_by)
    return list(by_sort.values())


def _lines(tallies: Iterable[_Tally]) -> list[dict[str, str]]:
    """What is in the shipment: by item, unit and order (where the event names one)."""
    sums: defaultdict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for tally in tallies:
        orders = transactions(tally.move.telling.event, "po")
        order = orders[0] if len(orders) == 1 else ""
        for goods in tally.goods:
            sums[goods.item, goods.unit, order] += goods.quantity
    return _as_lines(sums)


def _received(source: str, left: Sequence[_Tally], came: Sequence[_Tally]) -> list[dict[str, str]]:
    """What was handed over, on the orders under which it was sent; nothing where that cannot be told.

    A delivery without lines delivers what the shipment is known to hold.
    """
    orders: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for line in _lines(_sent(source, left, came)):
        orders[line["item"], line["unit"]].add(line.get("order_id", ""))
    if not orders:
        return []
    sums: defaultdict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for tally in came:
        for goods in tally.goods:
            known = orders.get((goods.item, goods.unit), {""})
            if len(known) > 1:
                return []
            sums[goods.item, goods.unit, next(iter(known))] += goods.quantity
    for (item, unit), known in orders.items():
        if sums and len(known) == 1:
            sums[item, unit, next(iter(known))] += 0
    return _as_lines(sums)


def _sent(source: str, left: Sequence[_Tally], came: Sequence[_Tally]) -> list[_Tally]:
    """The departures that a source's deliveries are measured by.

    Its own; where it told none, those of the others: of the ones who sent on an order that its deliveries name, where
    there are such. So nobody's statement changes what somebody else said of a shipment of his own.
    """
    own = [tally for tally in left if _same(tally, source) and not tally.is_void]
    if own:
        return own
    named = {order for tally in came for order in transactions(tally.move.telling.event, "po")}
    senders = {
        tally.move.telling.key.source
        for tally in left
        if not named.isdisjoint(transactions(tally.move.telling.event, "po"))
    }
    return [tally for tally in left if not senders or tally.move.telling.key.source in senders]


def _as_lines(sums: dict[tuple[str, str, str], Decimal]) -> list[dict[str, str]]:
    return [
        {"item": item, "quantity": shown(thousandths(quantity)), "unit": unit} | ({"order_id": order} if order else {})
        for (item, unit, order), quantity in sorted(sums.items())
        if quantity < MOST_QUANTITY
    ]


def _milestone_references(move: Move) -> dict[str, str]:
    """Without the order: lines name their own, and one of the event's would be taken for theirs."""
    found = references(move.telling.event)
    found.pop("order_id", None)
    return found


def _named(move: Move) -> list[str]:
    return [identify(epc).canonical for epc in getattr(move.telling.event, "epc_list", ())]


def _and_more(names: Sequence[str]) -> str:
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]


def _same(tally: _Tally, source: str) -> bool:
    return tally.move.telling.key.source == source


def _is_return(move: Move) -> bool:
    return move.telling.event.disposition == "returned"
