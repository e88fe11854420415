"""The figures people act on, computed from the raw events in Python, by rules that share no code with agents or views.

Built on the oracle of tests/streams. What depends on the moment takes it as `now` (ms).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, NamedTuple

from deploy.demo.reports import Emission
from schemas.shipment import MILESTONES
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS
from schemas.wire import Rejection, read
from tests.streams import oracle

FACTS: Final = ("supplier.events", "shipment.events", "warehouse.events", "reference.events", "operator.events")
_ENDS: Final = {"delivered", "returned", "cancelled"}


class Moving(NamedTuple):
    """A shipment that is not at its end."""

    lane: str
    due: int | None
    estimate: int | None
    departed: int | None
    overdue_from: tuple[int, ...]
    """The planned moments of the milestones that were not reached."""


class Line(NamedTuple):
    """An order line: its promise, when it came in full, and whether it was cancelled."""

    due: int | None
    came: int | None
    cancelled: bool


@dataclass(slots=True)
class Figures:
    """What follows from the records that arrived."""

    moving: dict[str, Moving] = field(default_factory=dict)
    lanes: set[str] = field(default_factory=set)
    on_hand: dict[tuple[str, str], int] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    leads: dict[tuple[str, str], list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """By (measure, route): (when it ended, how long it took), of those that a day has a mean of."""
    arrived: dict[str, list[tuple[int, bool]]] = field(default_factory=lambda: defaultdict(list))
    """By topic: (when, whether it could be read)."""
    heard: dict[str, int] = field(default_factory=dict)
    cadence: dict[str, float] = field(default_factory=dict)

    @property
    def transits(self) -> dict[str, list[tuple[int, int]]]:
        """The same of transits, by lane."""
        return {route: told for (measure, route), told in self.leads.items() if measure == "transit"}

    def late(self, now: int, since: int = 0) -> Counter[str]:
        """Late shipments by lane, of those whose promise was broken at `since` or later."""
        broken = [one for one in self.moving.values() if one.due is not None and since <= one.due < now]
        return Counter(one.lane for one in broken)

    def open(self) -> Counter[str]:
        """Open shipments by lane."""
        return Counter(one.lane for one in self.moving.values())

    def overdue(self, now: int) -> Counter[str]:
        """Shipments with an overdue milestone, by lane."""
        return Counter(one.lane for one in self.moving.values() if any(at < now for at in one.overdue_from))

    def at_risk(self, now: int, usual: Mapping[str, float]) -> Counter[str]:
        """Shipments expected after their promise, by lane. `usual`: p90 of transit by lane (ms), of 5 or more."""
        found: Counter[str] = Counter()
        for one in self.moving.values():
            if one.due is None or one.due < now:
                continue
            expected: float | None = None
            if one.estimate is not None and one.estimate > now:
                expected = one.estimate
            elif one.departed is not None and one.lane in usual:
                expected = one.departed + usual[one.lane]
            found[one.lane] += expected is not None and expected > one.due
        return +found

    def p90(self, least: int = 5) -> dict[str, int]:
        """The p90 of transit by lane (ms): the observation of rank ceil(0.9 n)."""
        seen = {lane: sorted(took for _, took in told) for lane, told in self.transits.items()}
        return {lane: told[rank(0.9, len(told))] for lane, told in seen.items() if len(told) >= least}

    def silent(self, now: int) -> set[str]:
        """Sources that have been quiet for three times what is told to be usual for them."""
        return {name for name, gap in self.cadence.items() if now - self.heard.get(name, 0) > 3 * gap}

    def dead_share(self, topic: str, now: int, minutes: int, least: int) -> float:
        """Dead letters of all that arrived on a topic within these minutes."""
        recent = [good for at, good in self.arrived[topic] if at >= now - minutes * MINUTE_MS]
        return recent.count(False) / len(recent) if len(recent) >= max(least, 1) else 0.0

    def on_time_share(self) -> float:
        """Of the lines with a promise that came, those that came in time."""
        told = [line for line in self.lines if line.due is not None and line.came is not None]
        return sum((line.came or 0) <= (line.due or 0) for line in told) / len(told)

    def in_full_share(self, now: int) -> float:
        """Of the lines with a promise that came, or whose promise is broken: those that came in time and full."""
        judged = [
            line
            for line in self.lines
            if line.due is not None and (line.came is not None or (line.due < now and not line.cancelled))
        ]
        return sum(line.came is not None and line.came <= (line.due or 0) for line in judged) / len(judged)

    def shifted(self, now: int) -> Counter[str]:
        """Routes by measure whose last day breaks Nelson's rule 1 or 2 on an XmR chart of the days' mean logarithms."""
        return Counter(measure for (measure, _), told in self.leads.items() if _is_shifted(told, now))


def rank(q: float, n: int) -> int:
    """The place of a quantile in a sorted list: rank ceil(q n)."""
    return math.ceil(round(q * n, 9)) - 1


def figures(emissions: Iterable[Emission]) -> Figures:
    """The figures of records that arrived when they were sent."""
    found = Figures()
    readable: list[tuple[str, bytes]] = []
    for told in emissions:
        event = read(told.topic, told.value, told.at_ms)
        is_read = not isinstance(event, Rejection)
        found.arrived[told.topic].append((told.at_ms, is_read))
        if isinstance(event, Rejection):
            continue
        readable.append((told.topic, told.value))
        if told.topic in FACTS[:3]:
            found.heard[event.source] = max(told.at_ms, found.heard.get(event.source, 0))
    said = oracle._standing(readable)
    for events in said["reference.events"].values():
        told_last: Any = events[-1]
        if told_last.type == "source_described" and told_last.expected_cadence is not None:
            found.cadence[told_last.describes] = float(Decimal(told_last.expected_cadence)) * HOUR_MS
    for key, events in said["warehouse.events"].items():
        site, _, item = key.partition("|")
        found.on_hand[site, item] = oracle._on_hand(events)
        found.leads["dock_to_stock", site] += _put_away(events)
    _ship(said["shipment.events"], found)
    _order(said, found)
    return found


def _ship(said: Mapping[str, Sequence[Any]], found: Figures) -> None:
    for name, events in said.items():
        shipment = oracle._Shipment(events)
        if not shipment.said:
            continue
        lane = f"{shipment._last('origin') or '?'}>{shipment._last('destination') or '?'}"
        found.lanes.add(lane)
        for route, took in shipment.lead_times():
            measure, _, of = route.partition("|")
            if measure in {"transit", "carrier_transit"} and took >= 0:
                found.leads[measure, of].append((shipment._delivered_at() or 0, took))
        if shipment.outcome().status in _ENDS:
            continue
        promise = [event for event in shipment.said if event.promised_at is not None][-1:]
        estimates = [e for e in shipment.said if e.classifier == "estimated" and e.milestone == "delivered"]
        left = min((pair for pair in shipment.actual if pair[1] == "departed"), default=None)
        start = shipment.actual[left] if left else shipment._on_last_leg("picked_up")
        found.moving[name] = Moving(
            lane,
            oracle._due(promise[0], promise[0].promised_at) if promise else None,
            oracle._ms(max(estimates, key=lambda e: e.leg).occurred_at) if estimates else None,
            oracle._ms(start.occurred_at) if start else None,
            tuple(_not_reached(shipment)),
        )


def _not_reached(shipment: Any) -> Iterable[int]:
    ranked = [(leg, MILESTONES.index(name)) for leg, name in shipment.actual if name not in oracle._NO_RANK]
    reached = max(ranked, default=(0, -1))
    planned = {(event.leg, event.milestone): event for event in shipment.said if event.classifier == "planned"}
    for (leg, name), event in planned.items():
        if (leg, name) in shipment.actual:
            continue
        if name in oracle._NO_RANK or (leg, MILESTONES.index(name)) > reached:
            yield oracle._due(event, event.occurred_at) or 0


def _order(said: Mapping[str, Mapping[str, Sequence[Any]]], found: Figures) -> None:
    brought: dict[str, list[Any]] = defaultdict(list)
    for _, events in sorted(said["shipment.events"].items()):
        for goods in oracle._Shipment(events).goods():
            if goods.order_id:
                brought[goods.order_id].append(goods)
    for order_id in said["supplier.events"].keys() | brought.keys():
        order = oracle._Order(said["supplier.events"].get(order_id, []), brought.get(order_id, []))
        for outcome, lead in order.outcomes().values():
            if lead is not None and lead[1] >= 0:
                measure, _, route = lead[0].partition("|")
                found.leads[measure, route].append((outcome.delivered_at or 0, lead[1]))
        cancelled = _cancelled(said["supplier.events"].get(order_id, []), set(order._lines))
        for line_id, line in order._lines.items():
            came = [one for one in order._brought if one.line_id == line_id and one.unit == line.unit]
            promises = [one.due_at for one in came if one.due_at is not None]
            due = line.due_at if line.due_at is not None or not promises else promises[0]
            found.lines.append(Line(due, order._complete(line, came), line_id in cancelled))


def _put_away(events: Iterable[Any]) -> Iterable[tuple[int, int]]:
    """Of each receipt that was put away in full: when its last goods were, and how long after its first goods came."""
    receipts: dict[str, list[Any]] = defaultdict(list)
    for move in events:
        receipt = move.references.shipment_id or getattr(move, "lot", None)
        if receipt and move.type in {"received", "put_away"}:
            receipts[receipt].append(move)
    for moves in receipts.values():
        came = [move for move in moves if move.type == "received"]
        stored = [move for move in moves if move.type == "put_away"]
        if came and stored and sum(move.quantity for move in stored) >= sum(move.quantity for move in came):
            end = max(oracle._ms(move.occurred_at) for move in stored)
            took = end - min(oracle._ms(move.occurred_at) for move in came)
            if took >= 0:
                yield end, took


def _cancelled(events: Iterable[Any], lines: set[str]) -> set[str]:
    """The lines that were cancelled, or changed to nothing."""
    found: set[str] = set()
    for event in events:
        if event.type == "order_cancelled":
            found |= set(event.line_ids) or lines
        elif event.type == "order_changed":
            found |= {line.line_id for line in event.lines if line.quantity == 0}
    return found


def _is_shifted(told: Sequence[tuple[int, int]], now: int) -> bool:
    days: dict[int, list[float]] = defaultdict(list)
    for at, took in told:
        days[at // DAY_MS].append(math.log(max(took, 1000) / DAY_MS))
    if not days:
        return False
    last = max(days)
    points = [sum(days[day]) / len(days[day]) for day in sorted(days) if day > last - 90]
    if len(points) < 10 or last < now // DAY_MS - 28:
        return False
    centre = sum(points) / len(points)
    moving = [abs(after - before) for before, after in pairwise(points)]
    beyond = abs(points[-1] - centre) > 2.66 * sum(moving) / len(moving)
    nine = points[-9:]
    return beyond or all(point > centre for point in nine) or all(point < centre for point in nine)
