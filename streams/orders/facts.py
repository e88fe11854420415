"""What the orders agent keeps of supplier events and of delivery contributions."""

from datetime import datetime
from typing import Final

import msgspec

from schemas.derived import Delivery, DeliveryLine
from schemas.event import Event
from schemas.quantities import micros, thousandths
from schemas.supplier import (
    AdvanceShipNotice,
    LineChange,
    NoticeLine,
    OrderChanged,
    OrderConfirmed,
    OrderLine,
    OrderPlaced,
    SupplierEvent,
)
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

PLACED: Final = STEPS.index("order_placed")
CONFIRMED: Final = STEPS.index("order_confirmed")
CHANGED: Final = STEPS.index("order_changed")
ANNOUNCED: Final = STEPS.index("advance_ship_notice")
CANCELLED: Final = STEPS.index("order_cancelled")
CLOSED: Final = STEPS.index("order_closed")


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


_STEP_OF: Final = {kind: step for step, kind in enumerate(STEPS)}


def order_statement(event: Event, raw: bytes) -> Statement:
    """The fact that a supplier event states."""
    said: SupplierEvent = event  # type: ignore[assignment]  # this agent reads one topic of events
    version = event_version(said.recorded_ms, raw, retracted=said.retracted)
    payload = None if said.retracted else _payload(said)
    return Statement(said.order_id, identity(said.source, said.event_id), Fact(version, payload))


def delivery_fact(state: Delivery) -> DeliveryFact | None:
    """The payload of a delivery contribution; None where nothing remains."""
    return DeliveryFact(state.lines) if state.lines else None


def _payload(said: SupplierEvent) -> OrderFact:
    step, at = _STEP_OF[said.type], said.occurred_ms
    if said.type == "order_placed":
        lines = tuple([_ordered(said, line) for line in said.lines])
        return OrderFact(step, at, said.supplier, said.buyer, said.destination, None, lines)
    if said.type == "advance_ship_notice":
        lines = tuple([_noticed(said, line) for line in said.lines])
        return OrderFact(step, at, said.supplier, None, said.destination, said.shipment_id, lines)
    if said.type == "order_closed":
        return OrderFact(step, at, None, None, None, None, ())
    if said.type == "order_cancelled":
        return OrderFact(step, at, None, None, None, None, tuple([Line(line_id) for line_id in said.line_ids]))
    return OrderFact(step, at, None, None, None, None, tuple([_changed(said, line) for line in said.lines]))


def _ordered(said: OrderPlaced, line: OrderLine) -> Line:
    return Line(
        line_id=line.line_id,
        item=line.item,
        quantity=thousandths(line.quantity),
        unit=line.unit,
        requested_at=_ms(line.requested_at),
        promised_at=_ms(line.promised_at),
        due_at=said.due(line.promised_at),
        unit_cost_micros=None if line.unit_cost is None else micros(line.unit_cost),
        currency=line.currency,
    )


def _changed(said: OrderConfirmed | OrderChanged, line: LineChange) -> Line:
    return Line(
        line_id=line.line_id,
        item=line.item,
        quantity=None if line.quantity is None else thousandths(line.quantity),
        unit=line.unit,
        requested_at=_ms(line.requested_at),
        promised_at=_ms(line.promised_at),
        due_at=said.due(line.promised_at),
    )


def _noticed(said: AdvanceShipNotice, line: NoticeLine) -> Line:
    """A line of a ship notice; the notice's own promise is for lines that have none."""
    promised = line.promised_at or said.promised_at
    return Line(
        line_id=line.line_id,
        item=line.item,
        quantity=thousandths(line.quantity),
        unit=line.unit,
        promised_at=_ms(promised),
        due_at=said.due(promised),
    )


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else to_ms(moment)
