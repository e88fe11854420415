"""A shipment's state from its facts, and what it tells orders, stock positions and lead times.

Per (leg, milestone, classifier) the greatest live statement counts, so that retracting it brings the one
before back. Milestones rank by (leg, rank): the status is the highest actual one, whatever order the
messages came in, and final states stay: delivered, then returned; cancelled. A planned milestone below the
reached one that nobody reported is inferred and gives no lead time. Overdue (a planned milestone not seen)
and late (the promise missed) are two different things.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas.derived import (
    Delivery,
    DeliveryLine,
    ExceptionState,
    MilestoneState,
    ShipmentLineState,
    ShipmentStatus,
    Transit,
)
from schemas.event import Event
from schemas.reference import lane
from schemas.shipment import RANK
from schemas.times import DAY_MS
from streams.derivation import Derived, View
from streams.exceptions import exception_view, opened
from streams.facts import Fact, Statement, Target, by_time, live
from streams.leads.derive import Observation, lead_contribution, lead_target
from streams.shipments.facts import (
    ACTUAL,
    ESTIMATED,
    PLANNED,
    ConditionFact,
    MilestoneFact,
    Payload,
    PositionFact,
    shipment_statement,
)
from streams.shipments.goods import goods, is_moving

VIEW: Final = "shipment.status"
DELIVERIES: Final = "delivery.contributions"
TRANSITS: Final = "transit.contributions"
EXCURSION_READINGS: Final = 3
"""So many readings in a row beyond a limit open a condition excursion."""

_NO_STATUS: Final = frozenset({"delivered", "returned", "cancelled", "empty_returned"})
"""Milestones that are final states or say nothing of the goods: never a status by rank."""

_Latest = Mapping[tuple[int, str, str], MilestoneFact]


class Shipments:
    """The shipments agent's rules."""

    name = "shipments"
    events = ("shipment.events",)
    contributions: Mapping[str, type[Any]] = {}
    payload: Any = Payload

    def statement(self, event: Event, raw: bytes) -> Statement:
        """The fact that a shipment event states."""
        return shipment_statement(event, raw)

    def contributed(self, state: Any) -> tuple[str, str, Any]:
        """Never asked: this agent reads no contributions."""
        raise AssertionError(state)

    def derive(self, entity: str, facts: Mapping[str, Fact]) -> Derived:
        """The shipment's status and exceptions, and what it contributes."""
        standing = live(facts)
        told = [fact.payload for _, fact in standing if isinstance(fact.payload, MilestoneFact)]
        latest = {(fact.leg, fact.milestone, fact.classifier): fact for fact in told}
        positions = [fact.payload for _, fact in standing if isinstance(fact.payload, PositionFact)]
        status = _status(entity, told, latest, positions)
        conditions = sorted(
            (fact.payload.occurred_at, by_time(identity), fact.payload)
            for identity, fact in standing
            if isinstance(fact.payload, ConditionFact)
        )
        exceptions = exception_view(
            f"shipment/{entity}", _exceptions(status, [reading for _, _, reading in conditions])
        )
        contributions: dict[Target, msgspec.Struct] = {
            **_deliveries(status, moving=is_moving(told)),
            **_transits(status, moving=is_moving(told)),
            **_lead_times(status, latest),
        }
        return Derived((View(VIEW, entity, status), exceptions), contributions)

    def withdrawn(self, entity: str, target: Target) -> msgspec.Struct:
        """Nothing of this shipment remains for the target."""
        if target.topic == DELIVERIES:
            return Delivery(entity, target.key)
        if target.topic == TRANSITS:
            site, _, item = target.key.partition("|")
            return Transit(entity, site, item)
        return lead_contribution(f"shipment/{entity}", target)


def _last(told: Iterable[MilestoneFact], name: str) -> Any:
    """The last value that anybody told for a field."""
    value = None
    for fact in told:
        said = getattr(fact, name)
        value = value if said is None else said
    return value


def _actual(latest: _Latest, milestone: str) -> MilestoneFact | None:
    """The actual milestone on its last leg."""
    reached = [key for key in latest if key[1] == milestone and key[2] == ACTUAL]
    return latest[max(reached)] if reached else None


def _status(
    entity: str, told: Sequence[MilestoneFact], latest: _Latest, positions: Sequence[PositionFact]
) -> ShipmentStatus:
    status, leg, final = _reached(latest)
    delivered = _actual(latest, "delivered")
    delivered_at = delivered.occurred_at if delivered else None
    departed = [latest[key] for key in sorted(latest) if key[1] == "departed" and key[2] == ACTUAL]
    started = departed[0] if departed else _actual(latest, "picked_up")
    estimates = [latest[key] for key in sorted(latest) if key[1] == "delivered" and key[2] == ESTIMATED]
    promise = next((fact for fact in reversed(told) if fact.promised_at is not None), None)
    promised_at = promise.promised_at if promise else None
    due_at = promise.due_at if promise else None
    lines = goods(told, promised_at=promised_at, due_at=due_at)
    origin, destination = _last(told, "origin"), _last(told, "destination")
    seen = max(positions, key=lambda position: position.occurred_at, default=None)
    late = delivered_at is not None and due_at is not None and delivered_at > due_at
    return ShipmentStatus(
        shipment_id=entity,
        status=status,
        leg=leg,
        final=final,
        carrier=_last(told, "carrier"),
        mode=_last(told, "mode"),
        origin=origin,
        destination=destination,
        lane=lane(origin, destination),
        promised_at=promised_at,
        due_at=due_at,
        estimated_at=estimates[-1].occurred_at if estimates else None,
        departed_at=started.occurred_at if started else None,
        delivered_at=delivered_at,
        late=late,
        late_ms=delivered_at - promised_at if late and delivered_at is not None and promised_at is not None else 0,
        late_lines=sum(line.late for line in lines),
        latitude_micros=seen.latitude if seen else None,
        longitude_micros=seen.longitude if seen else None,
        seen_at=seen.occurred_at if seen else None,
        orders=tuple(sorted({line.order_id for line in lines if line.order_id})),
        milestones=_milestones(latest),
        lines=lines,
        findings=tuple(_findings(lines)),
    )


def _reached(latest: _Latest) -> tuple[str, int, bool]:
    """The status, its leg, and whether it is final."""
    for final in ("returned", "delivered", "cancelled"):
        fact = _actual(latest, final)
        if fact is not None:
            return final, fact.leg, True
    actual = [
        (leg, RANK[milestone], milestone)
        for leg, milestone, classifier in latest
        if classifier == ACTUAL and milestone not in _NO_STATUS
    ]
    if actual:
        leg, _, milestone = max(actual)
        return milestone, leg, False
    return ("planned" if latest else "unknown"), 1, False


def _milestones(latest: _Latest) -> tuple[MilestoneState, ...]:
    """Every milestone that anybody planned, estimated or reported, by (leg, rank)."""
    keys = sorted({(leg, RANK[milestone], milestone) for leg, milestone, _ in latest})
    reached = max(
        (
            (99 if milestone == "delivered" else leg, rank)
            for leg, rank, milestone in keys
            if (leg, milestone, ACTUAL) in latest and (milestone not in _NO_STATUS or milestone == "delivered")
        ),
        default=(0, 0),
    )
    states = []
    for leg, rank, milestone in keys:
        planned = latest.get((leg, milestone, PLANNED))
        estimated = latest.get((leg, milestone, ESTIMATED))
        actual = latest.get((leg, milestone, ACTUAL))
        places = (fact.location for fact in (actual, estimated, planned) if fact is not None)
        states.append(
            MilestoneState(
                leg=leg,
                milestone=milestone,
                planned_at=planned.occurred_at if planned else None,
                planned_due_at=planned.occurred_due if planned else None,
                estimated_at=estimated.occurred_at if estimated else None,
                actual_at=actual.occurred_at if actual else None,
                inferred=actual is None and rank <= RANK["delivered"] and (leg, rank) < reached,
                location=next((place for place in places if place), None),
            )
        )
    return tuple(states)


def _findings(lines: Iterable[ShipmentLineState]) -> Iterable[str]:
    units: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        units[line.item].add(line.unit)
    if any(len(found) > 1 for found in units.values()):
        yield "unit_conflict"


def _deliveries(status: ShipmentStatus, *, moving: bool) -> Mapping[Target, Delivery]:
    """What the shipment tells each order: its lines, shipped once the goods have left and have not come back."""
    on_its_way = moving and not _turned_back(status)
    by_order: dict[str, list[DeliveryLine]] = defaultdict(list)
    for line in status.lines:
        if line.order_id is not None:
            by_order[line.order_id].append(
                DeliveryLine(
                    line_id=line.line_id or line.item,
                    item=line.item,
                    unit=line.unit,
                    shipped=line.shipped if on_its_way else 0,
                    delivered=line.delivered,
                    delivered_at=line.delivered_at,
                    promised_at=line.promised_at,
                    due_at=line.due_at,
                )
            )
    return {
        Target(DELIVERIES, order_id): Delivery(status.shipment_id, order_id, tuple(lines))
        for order_id, lines in by_order.items()
    }


def _transits(status: ShipmentStatus, *, moving: bool) -> Mapping[Target, Transit]:
    """What the shipment brings to its destination, by item, once the goods have left.

    What was returned or cancelled before it was delivered is not on its way any more.
    """
    if not moving or status.destination is None or _turned_back(status):
        return {}
    found: dict[Target, Transit] = {}
    for line in status.lines:
        target = Target(TRANSITS, f"{status.destination}|{line.item}")
        so_far = found.get(target)
        if so_far is not None and so_far.unit != line.unit:
            continue
        found[target] = Transit(
            contributor=status.shipment_id,
            site=status.destination,
            item=line.item,
            unit=line.unit,
            shipped=line.shipped + (so_far.shipped if so_far else 0),
            delivered=line.delivered + (so_far.delivered if so_far else 0),
            final=status.final,
            delivered_at=status.delivered_at,
        )
    return found


def _turned_back(status: ShipmentStatus) -> bool:
    """Whether it was returned or cancelled before anything was delivered."""
    return status.status in {"returned", "cancelled"} and status.delivered_at is None


def _lead_times(status: ShipmentStatus, latest: _Latest) -> Mapping[Target, msgspec.Struct]:
    """Observed transit times: of the lane, of the carrier on it, and of each leg."""
    observed: dict[Target, list[Observation]] = defaultdict(list)
    if status.departed_at is not None and status.delivered_at is not None:
        seen = (status.delivered_at // DAY_MS, status.delivered_at - status.departed_at)
        observed[lead_target("transit", status.lane)].append(seen)
        if status.carrier is not None:
            observed[lead_target("carrier_transit", f"{status.carrier}|{status.lane}")].append(seen)
    for leg in sorted({key[0] for key in latest}):
        out = latest.get((leg, "departed", ACTUAL))
        back = latest.get((leg, "arrived", ACTUAL))
        if out is not None and back is not None and out.location and back.location:
            route = lane(out.location, back.location)
            seen = (back.occurred_at // DAY_MS, back.occurred_at - out.occurred_at)
            observed[lead_target("leg_transit", route)].append(seen)
    contributor = f"shipment/{status.shipment_id}"
    return {target: lead_contribution(contributor, target, seen) for target, seen in observed.items()}


def _exceptions(status: ShipmentStatus, conditions: Sequence[ConditionFact]) -> Iterable[ExceptionState]:
    name = f"shipment/{status.shipment_id}"
    missing = [line for line in status.lines if line.delivered != line.shipped]
    if status.status == "delivered" and missing and status.delivered_at is not None:
        detail = f"{len(missing)} of {len(status.lines)} lines were delivered in another quantity than shipped."
        yield opened("quantity_mismatch", name, status.delivered_at, detail)
    run: list[ConditionFact] = []
    for reading in conditions:
        run = [*run, reading] if reading.breaches else []
    if len(run) >= EXCURSION_READINGS:
        detail = f"{run[-1].breaches[0]}, {len(run)} readings in a row."
        yield opened("condition_excursion", name, run[0].occurred_at, detail)
