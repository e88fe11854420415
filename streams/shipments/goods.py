"""The goods in a shipment: what was shipped, what was delivered when, and which lines were late."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schemas.derived import ShipmentLineState
from schemas.shipment import RANK
from streams.shipments.facts import ACTUAL, Line, MilestoneFact

HANDED_OVER = frozenset({"delivered", "returned"})


class LineKey(NamedTuple):
    """What makes two statements speak of one line."""

    order_id: str
    line_id: str
    item: str


def is_moving(milestones: Iterable[MilestoneFact]) -> bool:
    """Whether the goods have left: any actual milestone from picked_up on (but a cancellation)."""
    return any(
        fact.classifier == ACTUAL and RANK[fact.milestone] >= RANK["picked_up"] and fact.milestone != "cancelled"
        for fact in milestones
    )


def goods(
    milestones: Sequence[MilestoneFact],
    *,
    promised_at: int | None,
    due_at: int | None,
) -> tuple[ShipmentLineState, ...]:
    """The lines, by (order, line, item). `milestones` are the live ones, oldest statement first.

    What is in the shipment is, per line, what was last told before it was handed over. What arrived is,
    per line, what the last delivery that names it says; a delivery that names no line at all delivers
    all that no other one names.
    """
    contents: dict[LineKey, Line] = {}
    handed: dict[LineKey, tuple[Line, int]] = {}
    for fact in milestones:
        delivery = fact.classifier == ACTUAL and fact.milestone in HANDED_OVER
        for line in fact.lines:
            if not delivery:
                contents[_key(line)] = line
            elif fact.milestone == "delivered":
                handed[_key(line)] = (line, fact.occurred_at)
    unnamed = _unnamed_delivery(milestones)
    states = []
    for key in sorted(contents.keys() | handed.keys()):
        arrived, arrived_at = handed.get(key, (None, None))
        told = contents.get(key) or arrived
        if told is None:
            continue
        if arrived is None and unnamed is not None:
            arrived, arrived_at = told, unnamed
        states.append(_state(told, arrived, arrived_at, promised_at, due_at))
    return tuple(states)


def _unnamed_delivery(milestones: Iterable[MilestoneFact]) -> int | None:
    """When the goods were delivered (ms) by an event that names no lines, on its last leg; None if there is none."""
    found = {
        fact.leg: fact.occurred_at
        for fact in milestones
        if fact.classifier == ACTUAL and fact.milestone == "delivered" and not fact.lines
    }
    return found[max(found)] if found else None


def _key(line: Line) -> LineKey:
    return LineKey(line.order_id or "", line.line_id or "", line.item)


def _state(
    told: Line, arrived: Line | None, arrived_at: int | None, promised_at: int | None, due_at: int | None
) -> ShipmentLineState:
    """One line; its own promise counts before the shipment's."""
    for line in (told, arrived):
        if line is not None and line.promised_at is not None:
            promised_at, due_at = line.promised_at, line.due_at
            break
    late = arrived_at is not None and due_at is not None and arrived_at > due_at
    return ShipmentLineState(
        item=told.item,
        unit=told.unit,
        order_id=told.order_id,
        line_id=told.line_id,
        shipped=told.quantity,
        delivered=arrived.quantity if arrived is not None and arrived.unit == told.unit else 0,
        delivered_at=arrived_at,
        promised_at=promised_at,
        due_at=due_at,
        late=late,
        late_ms=arrived_at - promised_at if late and arrived_at and promised_at is not None else 0,
    )
