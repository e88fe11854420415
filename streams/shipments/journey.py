"""Where a shipment is, from its milestones as they were told.

Per (leg, milestone, classifier) the last statement counts, so that retracting it brings the one before back.
Milestones rank by (leg, rank): the status is the highest actual one, whatever order the messages came in, and final
states stay: delivered, then returned; cancelled. A planned milestone below the reached one that nobody reported is
inferred and gives no lead time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from schemas.derived import MilestoneState, ShipmentLineState, ShipmentStatus
from schemas.reference import lane
from schemas.shipment import MILESTONES, RANK
from streams.shipments.facts import ACTUAL, ESTIMATED, MilestoneFact
from streams.shipments.goods import goods

_PICKED_UP: Final = RANK["picked_up"]
_DEPARTED: Final = RANK["departed"]
_DELIVERED: Final = RANK["delivered"]
_RETURNED: Final = RANK["returned"]
_CANCELLED: Final = RANK["cancelled"]
_ENDS: Final = (_RETURNED, _DELIVERED, _CANCELLED)
"""The final states, the strongest first."""

_NO_STATUS: Final = frozenset({*_ENDS, RANK["empty_returned"]})
"""Milestones that are final states or say nothing of the goods: never a status by rank."""

_RANKS: Final = len(MILESTONES)
_LAST_LEG: Final = 99


@dataclass(slots=True)
class Said:
    """What was said of one milestone of one leg: the last plan, the last estimate, the last report."""

    planned: MilestoneFact | None = None
    estimated: MilestoneFact | None = None
    actual: MilestoneFact | None = None


class Awaited(NamedTuple):
    """A planned milestone that was neither reported nor overtaken, and its last instant (ms)."""

    due_at: int
    leg: int
    milestone: str


@dataclass(slots=True)
class Journey:
    """A shipment's milestones, taken together. `status` says nothing of positions.

    `moving`: the goods have left (any actual milestone from picked_up on, but a cancellation). `reported`: the
    actual milestones by (leg, rank).
    """

    status: ShipmentStatus
    moving: bool
    reported: dict[tuple[int, int], MilestoneFact]
    awaited: tuple[Awaited, ...] = ()
    """Sorted; empty at the shipment's end."""

    @property
    def finished(self) -> bool:
        """Whether nothing more is to come: at its end, and no line is left whose delivery may still be reported."""
        status = self.status
        return status.final and (
            status.status != "delivered" or all(line.delivered_at is not None for line in status.lines)
        )

    @property
    def turned_back(self) -> bool:
        """Whether it was returned or cancelled before anything was delivered."""
        return self.status.status in {"returned", "cancelled"} and self.status.delivered_at is None


def journey(entity: str, told: Sequence[MilestoneFact]) -> Journey:
    """The journey of a shipment; `told` oldest statement first."""
    said = _by_place(told)
    places = sorted(said)
    seen = _Reports()
    for place in places:
        fact = said[place].actual
        if fact is not None:
            seen.take(place, fact)
    status, leg, final = seen.status(is_planned=bool(said))
    milestones = tuple([_state(place, said[place], seen.furthest) for place in places])
    facts = _Told(told)
    delivered_at = seen.last_at(_DELIVERED)
    lines = goods(told, promised_at=facts.promised_at, due_at=facts.due_at)
    late = delivered_at is not None and facts.due_at is not None and delivered_at > facts.due_at
    return Journey(
        status=ShipmentStatus(
            shipment_id=entity,
            status=status,
            leg=leg,
            final=final,
            carrier=facts.carrier,
            mode=facts.mode,
            origin=facts.origin,
            destination=facts.destination,
            lane=lane(facts.origin, facts.destination),
            promised_at=facts.promised_at,
            due_at=facts.due_at,
            estimated_at=_estimated_at(said, places),
            departed_at=seen.started_at(),
            delivered_at=delivered_at,
            late=late,
            late_ms=(delivered_at or 0) - (facts.promised_at or 0) if late else 0,
            late_lines=sum([line.late for line in lines]),
            orders=tuple(sorted({line.order_id for line in lines if line.order_id})),
            milestones=milestones,
            lines=lines,
            findings=("unit_conflict",) if _units_conflict(lines) else (),
        ),
        moving=seen.moving,
        reported=seen.reported,
        awaited=() if final else _awaited(milestones),
    )


def _by_place(told: Iterable[MilestoneFact]) -> dict[int, Said]:
    """What was said, by place: leg and rank in one number, so that places sort as milestones do."""
    said: dict[int, Said] = {}
    for fact in told:
        place = fact.leg * _RANKS + RANK[fact.milestone]
        here = said.get(place)
        if here is None:
            here = said[place] = Said()
        if fact.classifier == ACTUAL:
            here.actual = fact
        elif fact.classifier == ESTIMATED:
            here.estimated = fact
        else:
            here.planned = fact
    return said


@dataclass(slots=True)
class _Reports:
    """The actual milestones, taken by place; of one rank the last leg's counts, of departures the first."""

    reported: dict[tuple[int, int], MilestoneFact] = field(default_factory=dict)
    last: dict[int, MilestoneFact] = field(default_factory=dict)
    departed: MilestoneFact | None = None
    furthest: int = 0
    moving: bool = False
    _highest: MilestoneFact | None = None

    def take(self, place: int, fact: MilestoneFact) -> None:
        """The next report, by place."""
        rank = place % _RANKS
        self.reported[fact.leg, rank] = fact
        self.last[rank] = fact
        if rank == _DELIVERED:
            self.furthest = _LAST_LEG * _RANKS + rank
        elif rank not in _NO_STATUS:
            self._highest = fact
            self.furthest = max(self.furthest, place)
        if rank == _DEPARTED and self.departed is None:
            self.departed = fact
        if rank >= _PICKED_UP and rank != _CANCELLED:
            self.moving = True

    def status(self, *, is_planned: bool) -> tuple[str, int, bool]:
        """The status, its leg, and whether it is final."""
        for end in _ENDS:
            fact = self.last.get(end)
            if fact is not None:
                return fact.milestone, fact.leg, True
        if self._highest is not None:
            return self._highest.milestone, self._highest.leg, False
        return ("planned" if is_planned else "unknown"), 1, False

    def last_at(self, rank: int) -> int | None:
        """When the milestone was reached on its last leg (ms)."""
        fact = self.last.get(rank)
        return None if fact is None else fact.occurred_at

    def started_at(self) -> int | None:
        """When the goods left (ms): the first departure, else the pick-up."""
        return self.last_at(_PICKED_UP) if self.departed is None else self.departed.occurred_at


class _Told:
    """The last value that anybody told for each field; a promise comes with its last instant."""

    __slots__ = ("carrier", "destination", "due_at", "mode", "origin", "promised_at")

    def __init__(self, told: Iterable[MilestoneFact]) -> None:
        carrier = mode = origin = destination = None
        promised_at = due_at = None
        for fact in told:
            carrier = fact.carrier or carrier
            mode = fact.mode or mode
            origin = fact.origin or origin
            destination = fact.destination or destination
            if fact.promised_at is not None:
                promised_at, due_at = fact.promised_at, fact.due_at
        self.carrier, self.mode, self.origin, self.destination = carrier, mode, origin, destination
        self.promised_at, self.due_at = promised_at, due_at


def _state(place: int, said: Said, furthest: int) -> MilestoneState:
    """One milestone of one leg: as planned, estimated and reported, or inferred from what was reached since."""
    planned, estimated, actual = said.planned, said.estimated, said.actual
    leg, rank = divmod(place, _RANKS)
    location = (actual and actual.location) or (estimated and estimated.location) or (planned and planned.location)
    return MilestoneState(
        leg=leg,
        milestone=MILESTONES[rank],
        planned_at=planned.occurred_at if planned else None,
        planned_due_at=planned.occurred_due if planned else None,
        estimated_at=estimated.occurred_at if estimated else None,
        actual_at=actual.occurred_at if actual else None,
        inferred=actual is None and place < furthest and rank <= _DELIVERED,
        location=location or None,
    )


def _estimated_at(said: dict[int, Said], places: Sequence[int]) -> int | None:
    """When the delivery is expected (ms), by the last leg's estimate."""
    for place in reversed(places):
        fact = said[place].estimated
        if fact is not None and place % _RANKS == _DELIVERED:
            return fact.occurred_at
    return None


def _awaited(milestones: Iterable[MilestoneState]) -> tuple[Awaited, ...]:
    found = [
        Awaited(state.planned_due_at, state.leg, state.milestone)
        for state in milestones
        if state.planned_due_at is not None and state.actual_at is None and not state.inferred
    ]
    return tuple(sorted(found))


def _units_conflict(lines: Sequence[ShipmentLineState]) -> bool:
    """Whether one item comes in two units."""
    return len(lines) > 1 and len({(line.item, line.unit) for line in lines}) > len({line.item for line in lines})
