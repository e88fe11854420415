"""What the orders agent keeps of supplier events and of delivery contributions."""

from typing import Any, Final

import msgspec
from pydantic import AwareDatetime

from schemas.derived import Delivery, DeliveryLine
from schemas.event import Event
from schemas.quantities import micros, thousandths
from schemas.supplier import SupplierEvent
from schemas.times import to_ms
from schemas.versions import event_version, identity
from streams.facts import Fact, Statement

STEPS: Final = (
    "order_placed",
    "order_confirmed",
    "order_changed",
    "advance_ship_notice",
    "order_cancelled",
    "order_closed",
)
"""The events of an order in the order in which those of one instant are taken."""


class Line(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What an event says of one line; None where it says nothing. Thousandths, ms, millionths."""

    line_id: str
    item: str | None = None
    quantity: int | None = None
    unit: str | None = None
    requested_at: int | None = None
    promised_at: int | None = None
    due_at: int | None = None
    unit_cost_micros: int | None = None
    currency: str | None = None


class OrderFact(msgspec.Struct, tag="o", array_like=True, frozen=True):
    """An event of an order. `step` is the index in STEPS; shipment_id only for a ship notice."""

    step: int
    occurred_at: int
    supplier: str | None
    buyer: str | None
    destination: str | None
    shipment_id: str | None
    lines: tuple[Line, ...]


class DeliveryFact(msgspec.Struct, tag="d", array_like=True, frozen=True):
    """What one shipment tells of the order's lines."""

    lines: tuple[DeliveryLine, ...]


Payload = OrderFact | DeliveryFact


def order_statement(event: Event, raw: bytes) -> Statement:
    """The fact that a supplier event states."""
    said: SupplierEvent = event  # type: ignore[assignment]  # this agent reads one topic of events
    version = event_version(to_ms(said.recorded_at), raw, retracted=said.retracted)
    payload = None if said.retracted else _payload(said)
    return Statement(said.order_id, identity(said.source, said.event_id), Fact(version, payload))


def delivery_fact(state: Delivery) -> DeliveryFact | None:
    """The payload of a delivery contribution; None where nothing remains."""
    return DeliveryFact(state.lines) if state.lines else None


def _payload(said: SupplierEvent) -> OrderFact:
    return OrderFact(
        step=STEPS.index(said.type),
        occurred_at=to_ms(said.occurred_at),
        supplier=getattr(said, "supplier", None),
        buyer=getattr(said, "buyer", None),
        destination=getattr(said, "destination", None),
        shipment_id=said.shipment_id if said.type == "advance_ship_notice" else None,
        lines=_lines(said),
    )


def _lines(said: SupplierEvent) -> tuple[Line, ...]:
    if said.type == "order_cancelled":
        return tuple(Line(line_id) for line_id in said.line_ids)
    if said.type == "order_closed":
        return ()
    promise = said.promised_at if said.type == "advance_ship_notice" else None
    return tuple(_line(said, line, promise) for line in said.lines)


def _line(said: Event, line: Any, promise: AwareDatetime | None) -> Line:
    """A line of any of these events; what it does not have, it does not say."""
    promised = line.promised_at or promise
    requested = getattr(line, "requested_at", None)
    cost = getattr(line, "unit_cost", None)
    return Line(
        line_id=line.line_id,
        item=line.item,
        quantity=None if line.quantity is None else thousandths(line.quantity),
        unit=line.unit,
        requested_at=None if requested is None else to_ms(requested),
        promised_at=None if promised is None else to_ms(promised),
        due_at=said.due(promised),
        unit_cost_micros=None if cost is None else micros(cost),
        currency=getattr(line, "currency", None),
    )
