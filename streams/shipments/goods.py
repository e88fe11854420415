"""The goods in a shipment: what was shipped, what was delivered when, and which lines were late."""

from collections.abc import Sequence
from typing import Final

from schemas.derived import ShipmentLineState
from streams.shipments.facts import ACTUAL, Line, MilestoneFact

HANDED_OVER: Final = frozenset({"delivered", "returned"})


LineKey = tuple[str, str, str]
"""What makes two statements speak of one line: order, line, item."""


def goods(
    milestones: Sequence[MilestoneFact],
    *,
    promised_at: int | None,
    due_at: int | None,
) -> tuple[ShipmentLineState, ...]:
    """The lines, by (order, line, item). `milestones` are the live ones, oldest statement first.

    What is in the shipment is, per line, what was last told before it was handed over. What arrived is,
    per line, what the last delivery that names it says; a delivery that names no line at all, on its last leg,
    delivers all that no other one names.
    """
    contents: dict[LineKey, Line] = {}
    handed: dict[LineKey, tuple[Line, int]] = {}
    unnamed: int | None = None
    unnamed_leg = 0
    for fact in milestones:
        handed_over = fact.classifier == ACTUAL and fact.milestone in HANDED_OVER
        if not handed_over:
            for line in fact.lines:
                contents[line.order_id or "", line.line_id or "", line.item] = line
        elif fact.milestone == "delivered":
            for line in fact.lines:
                handed[line.order_id or "", line.line_id or "", line.item] = (line, fact.occurred_at)
            if not fact.lines and fact.leg >= unnamed_leg:
                unnamed, unnamed_leg = fact.occurred_at, fact.leg
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
