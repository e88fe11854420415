"""Where a shipment is, from its milestones as they were told.

Per (leg, milestone, classifier) the last statement counts, so that retracting it brings the one before back.
Milestones rank by (leg, rank): the status is the highest actual one, whatever order the messages came in, and final
states stay: delivered, then returned; cancelled. A planned milestone below the reached one that nobody reported is
inferred and gives no lead time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from schemas.derived import MilestoneState, ShipmentLineState, ShipmentStatus
from schemas.reference import lane
from schemas.shipment import MILESTONES, RANK
from streams.shipments.facts import MilestoneFact
from streams.shipments.goods import goods
from streams.shipments.told import RANKS, Told

_PICKED_UP: Final = RANK["picked_up"]
_DEPARTED: Final = RANK["departed"]
_ARRIVED: Final = RANK["arrived"]
_DELIVERED: Final = RANK["delivered"]
_RETURNED: Final = RANK["returned"]
_CANCELLED: Final = RANK["cancelled"]
_NO_STATUS: Final = frozenset({_RETURNED, _DELIVERED, _CANCELLED, RANK["empty_returned"]})
"""Milestones that are final states or say nothing of the goods: never a status by rank."""

_LAST_LEG: Final = 99


class Awaited(NamedTuple):
    """A planned milestone that was neither reported nor overtaken, and its last instant (ms)."""

    due_at: int
    leg: int
    milestone: str


@dataclass(slots=True)
class Journey:
    """A shipment's milestones, taken together. `status` says nothing of positions.

    `moving`: the goods have left (any actual milestone from picked_up on, but a cancellation). `awaited`: sorted;
    nothing at the shipment's end.
    """

    status: ShipmentStatus
    moving: bool
    actual: Mapping[int, MilestoneFact]
    awaited: tuple[Awaited, ...]

    def legs(self) -> Iterable[tuple[MilestoneFact, MilestoneFact]]:
        """Of each leg where both were reported: the departure and the arrival."""
        for place, out in self.actual.items():
            if place % RANKS == _DEPARTED:
                back = self.actual.get(place - _DEPARTED + _ARRIVED)
                if back is not None:
                    yield out, back

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


def journey(entity: str, told: Told) -> Journey:
    """The journey of a shipment, after all that was told of it."""
    planned, estimated, actual = told.planned, told.estimated, told.actual
    places = sorted(planned.keys() | estimated.keys() | actual.keys())
    reached = _reached(actual, is_planned=bool(places))
    milestones = tuple(
        [
            _state(place, planned.get(place), estimated.get(place), actual.get(place), reached.furthest)
            for place in places
        ]
    )
    lines = goods(told)
    promised_at, delivered_at = told.promised_at, reached.delivered_at
    late = delivered_at is not None and told.due_at is not None and delivered_at > told.due_at
    status = ShipmentStatus(
        shipment_id=entity,
        status=reached.status,
        leg=reached.leg,
        final=reached.final,
        carrier=told.carrier,
        mode=told.mode,
        origin=told.origin,
        destination=told.destination,
        lane=lane(told.origin, told.destination),
        promised_at=promised_at,
        due_at=told.due_at,
        estimated_at=_estimated_at(estimated),
        departed_at=reached.started_at,
        delivered_at=delivered_at,
        late=late,
        late_ms=(delivered_at or 0) - (promised_at or 0) if late else 0,
        late_lines=sum([line.late for line in lines]),
        orders=tuple(sorted({line.order_id for line in lines if line.order_id})),
        milestones=milestones,
        lines=lines,
        findings=("unit_conflict",) if _units_conflict(lines) else (),
    )
    return Journey(status, reached.moving, actual, () if reached.final else _awaited(milestones))


class _Reached(NamedTuple):
    """How far the actual milestones say that the shipment has come."""

    status: str
    leg: int
    final: bool
    furthest: int
    """The place that everything planned below it was overtaken by."""

    moving: bool
    started_at: int | None
    """The first departure, else the last pick-up."""

    delivered_at: int | None


def _reached(actual: Mapping[int, MilestoneFact], *, is_planned: bool) -> _Reached:
    departed: MilestoneFact | None = None
    highest: MilestoneFact | None = None
    last: dict[int, MilestoneFact] = {}
    furthest = 0
    moving = False
    for place in sorted(actual):
        rank = place % RANKS
        fact = last[rank] = actual[place]
        if rank not in _NO_STATUS:
            highest = fact
            furthest = max(furthest, place)
        elif rank == _DELIVERED:
            furthest = _LAST_LEG * RANKS + rank
        if rank == _DEPARTED and departed is None:
            departed = fact
        moving = moving or (rank >= _PICKED_UP and rank != _CANCELLED)
    started, delivered = departed or last.get(_PICKED_UP), last.get(_DELIVERED)
    end = last.get(_RETURNED) or delivered or last.get(_CANCELLED)
    counts = end or highest
    return _Reached(
        status=counts.milestone if counts else "planned" if is_planned else "unknown",
        leg=counts.leg if counts else 1,
        final=end is not None,
        furthest=furthest,
        moving=moving,
        started_at=started.occurred_at if started else None,
        delivered_at=delivered.occurred_at if delivered else None,
    )


def _state(
    place: int,
    planned: MilestoneFact | None,
    estimated: MilestoneFact | None,
    actual: MilestoneFact | None,
    furthest: int,
) -> MilestoneState:
    """One milestone of one leg: as planned, estimated and reported, or inferred from what was reached since."""
    leg, rank = divmod(place, RANKS)
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


def _estimated_at(estimated: Mapping[int, MilestoneFact]) -> int | None:
    """When the delivery is expected (ms), by the last leg's estimate."""
    deliveries = [place for place in estimated if place % RANKS == _DELIVERED]
    return estimated[max(deliveries)].occurred_at if deliveries else None


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
