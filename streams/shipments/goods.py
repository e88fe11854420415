"""The goods in a shipment: what was shipped, what was delivered when, and which lines were late."""

from schemas.derived import ShipmentLineState
from streams.shipments.facts import Line
from streams.shipments.told import Told


def goods(told: Told) -> tuple[ShipmentLineState, ...]:
    """The lines, by (order, line, item).

    What arrived is, per line, what the last delivery that names it says; a delivery that names no line at all
    delivers all that no other one names.
    """
    states = []
    for key in sorted(told.contents.keys() | told.handed.keys()):
        arrived, arrived_at = told.handed.get(key, (None, None))
        inside = told.contents.get(key) or arrived
        if inside is None:
            continue
        if arrived is None and told.unnamed is not None:
            arrived, arrived_at = inside, told.unnamed
        states.append(_state(inside, arrived, arrived_at, told.promised_at, told.due_at))
    return tuple(states)


def _state(
    inside: Line, arrived: Line | None, arrived_at: int | None, promised_at: int | None, due_at: int | None
) -> ShipmentLineState:
    """One line; its own promise counts before the shipment's."""
    for line in (inside, arrived):
        if line is not None and line.promised_at is not None:
            promised_at, due_at = line.promised_at, line.due_at
            break
    late = arrived_at is not None and due_at is not None and arrived_at > due_at
    return ShipmentLineState(
        item=inside.item,
        unit=inside.unit,
        order_id=inside.order_id,
        line_id=inside.line_id,
        shipped=inside.quantity,
        delivered=arrived.quantity if arrived is not None and arrived.unit == inside.unit else 0,
        delivered_at=arrived_at,
        promised_at=promised_at,
        due_at=due_at,
        late=late,
        late_ms=arrived_at - promised_at if late and arrived_at and promised_at is not None else 0,
    )
