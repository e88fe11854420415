"""What the agents should come to, computed again and apart from them.

Takes each topic once, in one thread, and shares nothing with `streams`: only the contract (`schemas`) tells
what a record says. It knows the outcomes that people act on, not every column: `expected(records)` gives stock
on hand, how each shipment and each order line ended, and count and sum of every lead time.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from schemas.event import Event
from schemas.shipment import MILESTONES, MilestoneReported
from schemas.wire import Rejection, judge

_DAY: Final = 86_400_000
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ENDS: Final = ("returned", "delivered", "cancelled")
_NO_RANK: Final = {*_ENDS, "empty_returned"}
_STEPS: Final = ("placed", "confirmed", "changed", "advance_ship_notice", "cancelled", "closed")
_IN: Final = ("received", "returned", "moved in", "put_away", "restored", "released", "adjusted")
_OUT: Final = ("reserved", "picked", "packed", "quarantined", "shipped", "moved out", "scrapped", "counted")
_EFFECT: Final = {"received": 1, "returned": 1, "moved in": 1, "adjusted": 1}
_EFFECT_OUT: Final = {"shipped": -1, "moved out": -1, "scrapped": -1}


class Outcome(NamedTuple):
    """How a shipment stands: its status, when it was delivered (ms), and whether after its promise."""

    status: str
    delivered_at: int | None
    late: bool


class LineOutcome(NamedTuple):
    """When an order line was delivered in full (ms), and whether after its promise."""

    delivered_at: int | None
    late: bool


class LeadOutcome(NamedTuple):
    """How many lead times that are not negative, and their sum in ms."""

    observed: int
    total: int


@dataclass(frozen=True, slots=True)
class Expected:
    """The outcomes, where there are any.

    Keys: `site|item` where something moved, shipments of which a milestone was told, (order, line), and
    `measure|route` with a lead time that is not negative.
    """

    on_hand: Mapping[str, int]
    shipments: Mapping[str, Outcome]
    lines: Mapping[tuple[str, str], LineOutcome]
    leads: Mapping[str, LeadOutcome]


def expected(records: Iterable[tuple[str, bytes]]) -> Expected:
    """The outcomes of these raw records of fact topics, as (topic, bytes), in any order.

    What is no event is left out; only the clock of the broker, which could refuse one more, is not asked.
    """
    said = _standing(records)
    leads: dict[str, list[int]] = defaultdict(list)
    on_hand = {key: _on_hand(events) for key, events in said["warehouse.events"].items()}
    for key, events in said["warehouse.events"].items():
        leads[f"dock_to_stock|{key.partition('|')[0]}"] += _dock_to_stock(events)
    shipments = {key: _Shipment(events) for key, events in said["shipment.events"].items()}
    for shipment in shipments.values():
        for route, duration in shipment.lead_times():
            leads[route].append(duration)
    lines: dict[tuple[str, str], LineOutcome] = {}
    brought: dict[str, list[_Goods]] = defaultdict(list)
    for _, shipment in sorted(shipments.items()):
        for goods in shipment.goods():
            if goods.order_id:
                brought[goods.order_id].append(goods)
    for order_id in said["supplier.events"].keys() | brought.keys():
        order = _Order(said["supplier.events"].get(order_id, []), brought.get(order_id, []))
        for line_id, (outcome, lead) in order.outcomes().items():
            lines[order_id, line_id] = outcome
            if lead is not None:
                leads[lead[0]].append(lead[1])
    counted = {route: [duration for duration in seen if duration >= 0] for route, seen in leads.items()}
    return Expected(
        on_hand=on_hand,
        shipments={key: shipment.outcome() for key, shipment in shipments.items() if shipment.said},
        lines=lines,
        leads={route: LeadOutcome(len(seen), sum(seen)) for route, seen in counted.items() if seen},
    )


class _Statement(NamedTuple):
    recorded_at: int
    retracted: bool
    content: bytes
    source: str
    event_id: str
    event: Any


def _standing(records: Iterable[tuple[str, bytes]]) -> dict[str, dict[str, list[Any]]]:
    """Per topic and entity, the events that nobody replaced or withdrew, in the order they were said."""
    newest: dict[tuple[str, str, str, str], _Statement] = {}
    for topic, raw in records:
        event = judge(topic, raw)
        if isinstance(event, Rejection):
            continue
        content = hashlib.sha256(raw).digest()[:16]
        told = _Statement(_ms(event.recorded_at), event.retracted, content, event.source, event.event_id, event)
        name = (topic, event.entity_key(), event.source, event.event_id)
        if name not in newest or newest[name][:3] < told[:3]:
            newest[name] = told
    found: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for (topic, entity, *_), told in sorted(newest.items(), key=lambda pair: pair[1][:5]):
        if not told.retracted:
            found[topic][entity].append(told.event)
    return found


def _ms(moment: datetime) -> int:
    return (moment - _BEGINNING) // timedelta(milliseconds=1)


def _due(event: Event, promise: datetime | None) -> int | None:
    """The last instant of the promise: of its whole day, where its source knows days only."""
    if promise is None:
        return None
    return _ms(promise) + (_DAY - 1 if event.precision == "day" else 0)


def _is_late(at: int | None, due: int | None) -> bool:
    return at is not None and due is not None and at > due


def _units(quantity: Any) -> int:
    return int(quantity.scaleb(3))


def _kind(event: Any) -> str:
    return f"moved {event.direction}" if event.type == "moved" else str(event.type)


def _in_time(events: Iterable[Any]) -> list[Any]:
    """Movements in the order in which they are taken."""
    rank = {kind: place for place, kind in enumerate((*_IN, *_OUT))}
    return sorted(events, key=lambda one: (_ms(one.occurred_at), rank[_kind(one)], one.source, one.event_id))


def _of_first_unit(events: Iterable[Any]) -> list[Any]:
    moves = _in_time(events)
    return [move for move in moves if move.unit == moves[0].unit]


def _on_hand(events: Iterable[Any]) -> int:
    """From the last count on, if there was one: what was counted and what moved since."""
    moves = _of_first_unit(events)
    counts = [place for place, move in enumerate(moves) if move.type == "counted"]
    since = counts[-1] if counts else 0
    effect = _EFFECT | _EFFECT_OUT
    first = _units(moves[since].quantity) if counts else 0
    return first + sum(effect.get(_kind(move), 0) * _units(move.quantity) for move in moves[since:])


def _dock_to_stock(events: Iterable[Any]) -> Iterable[int]:
    """Of each receipt that was put away in full: from its first goods in to its last put away."""
    came: dict[str, list[Any]] = defaultdict(list)
    stored: dict[str, list[Any]] = defaultdict(list)
    for move in _of_first_unit(events):
        receipt = move.references.shipment_id or move.lot
        if receipt and move.type in {"received", "put_away"}:
            (came if move.type == "received" else stored)[receipt].append(move)
    for receipt, goods in came.items():
        put_away = stored[receipt]
        if put_away and sum(move.quantity for move in put_away) >= sum(move.quantity for move in goods):
            yield _ms(put_away[-1].occurred_at) - _ms(goods[0].occurred_at)


class _Goods(NamedTuple):
    """A line of a shipment as an order hears of it."""

    order_id: str
    line_id: str
    unit: str
    shipped: int
    delivered: int
    delivered_at: int | None
    due_at: int | None


class _Shipment:
    """One shipment from its standing events, oldest statement first."""

    def __init__(self, events: Iterable[Any]) -> None:
        self.said: Final = [event for event in events if isinstance(event, MilestoneReported)]
        self.actual: Final = {
            (event.leg, event.milestone): event for event in self.said if event.classifier == "actual"
        }

    def outcome(self) -> Outcome:
        promise = [event for event in self.said if event.promised_at is not None][-1:]
        due = _due(promise[0], promise[0].promised_at) if promise else None
        at = self._delivered_at()
        return Outcome(self._status(), at, _is_late(at, due))

    def lead_times(self) -> Iterable[tuple[str, int]]:
        """Each observed transit time, with its `measure|route`."""
        carrier, origin, destination = (self._last(name) for name in ("carrier", "origin", "destination"))
        lane = f"{origin or '?'}>{destination or '?'}"
        left = min((pair for pair in self.actual.items() if pair[0][1] == "departed"), default=None, key=_first)
        start = left[1] if left else self._on_last_leg("picked_up")
        end = self._delivered_at()
        if start is not None and end is not None:
            yield f"transit|{lane}", end - _ms(start.occurred_at)
            if carrier:
                yield f"carrier_transit|{carrier}|{lane}", end - _ms(start.occurred_at)
        for (leg, milestone), out in self.actual.items():
            back = self.actual.get((leg, "arrived"))
            if milestone == "departed" and back and out.location and back.location:
                route = f"leg_transit|{out.location}>{back.location}"
                yield route, _ms(back.occurred_at) - _ms(out.occurred_at)

    def goods(self) -> list[_Goods]:
        """The lines, by (order, line, item)."""
        inside: dict[tuple[str, str, str], tuple[Any, Any]] = {}
        handed: dict[tuple[str, str, str], tuple[Any, Any]] = {}
        whole = None
        for event in self.said:
            arriving = event.classifier == "actual" and event.milestone in {"delivered", "returned"}
            if arriving and event.milestone == "delivered" and not event.lines:
                whole = event if whole is None or event.leg >= whole.leg else whole
            for line in event.lines:
                name = (line.order_id or event.references.order_id or "", line.line_id or "", line.item)
                if not arriving:
                    inside[name] = (event, line)
                elif event.milestone == "delivered":
                    handed[name] = (event, line)
        found = []
        for name in sorted({*inside, *handed}):
            _, told = inside.get(name) or handed[name]
            arrival = handed.get(name) or (None if whole is None else (whole, told))
            found.append(self._one(name, told, arrival, [inside.get(name), handed.get(name)]))
        return found

    def _one(self, name: tuple[str, str, str], told: Any, arrival: Any, promising: list[Any]) -> _Goods:
        promise = [event for event in self.said if event.promised_at is not None][-1:]
        due = _due(promise[0], promise[0].promised_at) if promise else None
        for event, line in reversed([one for one in promising if one]):
            if line.promised_at is not None:
                due = _due(event, line.promised_at)
        return _Goods(
            order_id=name[0],
            line_id=name[1] or name[2],
            unit=told.unit,
            shipped=_units(told.quantity) if self._has_left() else 0,
            delivered=_units(arrival[1].quantity) if arrival and arrival[1].unit == told.unit else 0,
            delivered_at=_ms(arrival[0].occurred_at) if arrival else None,
            due_at=due,
        )

    def _has_left(self) -> bool:
        reached = {milestone for _, milestone in self.actual} - {"booked", "at_pickup", "cancelled"}
        return bool(reached)

    def _status(self) -> str:
        reached = {milestone for _, milestone in self.actual}
        for end in _ENDS:
            if end in reached:
                return end
        ranked = [(leg, MILESTONES.index(name)) for leg, name in self.actual if name not in _NO_RANK]
        if ranked:
            return MILESTONES[max(ranked)[1]]
        return "planned" if self.said else "unknown"

    def _on_last_leg(self, milestone: str) -> Any:
        return max((pair for pair in self.actual.items() if pair[0][1] == milestone), default=(0, None), key=_first)[1]

    def _delivered_at(self) -> int | None:
        event = self._on_last_leg("delivered")
        return None if event is None else _ms(event.occurred_at)

    def _last(self, name: str) -> str | None:
        told: list[str] = [value for event in self.said if (value := getattr(event, name)) is not None]
        return told[-1] if told else None


def _first(pair: tuple[Any, Any]) -> Any:
    return pair[0]


@dataclass(slots=True)
class _OrderedLine:
    """An order line while its events are taken one after the other."""

    unit: str = ""
    item: str = ""
    ordered: int = 0
    announced: int = 0
    ordered_at: int | None = None
    due_at: int | None = None
    promised_by: str = ""
    is_ended: bool = False


class _Order:
    """One order from its standing events and from what shipments brought."""

    def __init__(self, events: Iterable[Any], brought: list[_Goods]) -> None:
        self._brought: Final = brought
        self._lines: Final[dict[str, _OrderedLine]] = {}
        self._supplier = ""
        self._is_closed = False
        for event in sorted(events, key=_turn):
            self._supplier = getattr(event, "supplier", None) or self._supplier
            self._take(event)
        for goods in brought:
            line = self._lines.setdefault(goods.line_id, _OrderedLine(is_ended=self._is_closed))
            line.unit = line.unit or goods.unit

    def outcomes(self) -> dict[str, tuple[LineOutcome, tuple[str, int] | None]]:
        """Each line's outcome, and its lead time with `measure|route` where it has one."""
        found = {}
        for line_id, line in self._lines.items():
            goods = [one for one in self._brought if one.line_id == line_id and one.unit == line.unit]
            at = self._complete(line, goods)
            promises = [one.due_at for one in goods if one.due_at is not None]
            due = line.due_at if line.due_at is not None or not promises else promises[0]
            lead = None
            if at is not None and line.ordered_at is not None and self._supplier:
                lead = (f"order_to_delivery|{self._supplier}|{line.item}", at - line.ordered_at)
            found[line_id] = (LineOutcome(at, _is_late(at, due)), lead)
        return found

    @staticmethod
    def _complete(line: _OrderedLine, goods: list[_Goods]) -> int | None:
        wanted = line.ordered if line.ordered_at is not None or line.ordered else line.announced
        if not wanted and line.ordered_at is None and not line.is_ended:
            wanted = sum(one.shipped for one in goods)
        there = 0
        for one in sorted(goods, key=lambda one: one.delivered_at or 0):
            if one.delivered_at is not None and one.delivered:
                there += one.delivered
                if there >= wanted:
                    return one.delivered_at
        return None

    def _take(self, event: Any) -> None:
        kind = event.type.removeprefix("order_")
        if kind in {"cancelled", "closed"}:
            self._is_closed |= kind == "closed"
            named = getattr(event, "line_ids", ())
            for line_id in named or list(self._lines):
                self._lines.setdefault(line_id, _OrderedLine()).is_ended = True
            return
        for told in event.lines:
            line = self._lines.setdefault(told.line_id, _OrderedLine())
            if kind == "advance_ship_notice":
                _announce(line, event, told)
                continue
            line.unit, line.item = told.unit or line.unit, told.item or line.item
            if told.quantity is not None:
                line.ordered = _units(told.quantity)
            if told.promised_at is not None:
                line.due_at, line.promised_by = _due(event, told.promised_at), "order"
            if kind == "placed" and line.ordered_at is None:
                line.ordered_at = _ms(event.occurred_at)
            if kind == "changed" and told.quantity == 0:
                line.is_ended = True


def _turn(event: Any) -> tuple[Any, ...]:
    step = _STEPS.index(event.type.removeprefix("order_"))
    return (step > 0, _ms(event.occurred_at), step, event.source, event.event_id)


def _announce(line: _OrderedLine, event: Any, told: Any) -> None:
    line.unit, line.item = line.unit or told.unit, line.item or told.item
    if told.unit == line.unit:
        line.announced += _units(told.quantity)
    promise = told.promised_at or event.promised_at
    if line.promised_by != "order":
        line.due_at, line.promised_by = _due(event, promise), "notice"
