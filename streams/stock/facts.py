"""What the stock agent keeps of warehouse events and of transit contributions."""

from typing import Any, Final

import msgspec

from schemas.derived import Transit
from schemas.event import Event
from schemas.quantities import thousandths
from schemas.times import DAY_MS
from schemas.versions import event_version, identity
from streams.facts import Fact, Statement

KINDS: Final = (
    "received",
    "returned",
    "moved_in",
    "put_away",
    "restored",
    "released",
    "adjusted",
    "reserved",
    "picked",
    "packed",
    "quarantined",
    "shipped",
    "moved_out",
    "scrapped",
    "counted",
)
"""Movements in the order in which those of one instant are taken: in before out, a count last."""


_INDEX: Final = {kind: index for index, kind in enumerate(KINDS)}


class Movement(msgspec.Struct, tag="m", array_like=True, frozen=True, gc=False):
    """A warehouse event: quantity in thousandths of unit, occurred_at in ms."""

    kind: int
    occurred_at: int
    quantity: int
    unit: str
    shipment_id: str | None
    lot: str | None


class InTransit(msgspec.Struct, tag="t", array_like=True, frozen=True, gc=False):
    """What one shipment brings to the position, in thousandths of unit."""

    unit: str
    shipped: int
    delivered: int
    final: bool
    delivered_at: int | None


Payload = Movement | InTransit


def movement_statement(event: Event, raw: bytes) -> Statement:
    """The fact that a warehouse event states; its period is the day on which it happened."""
    movement: Any = event  # of WarehouseEvent: this agent reads one topic of events
    occurred_at = movement.occurred_ms
    kind = f"moved_{movement.direction}" if movement.type == "moved" else movement.type
    payload: Any = None
    if not movement.retracted:
        payload = Movement(
            kind=_INDEX[kind],
            occurred_at=occurred_at,
            quantity=thousandths(movement.quantity),
            unit=movement.unit,
            shipment_id=movement.references.shipment_id,
            lot=movement.lot,
        )
    version = event_version(movement.recorded_ms, raw, retracted=movement.retracted)
    fact = Fact(version, payload, occurred_at // DAY_MS)
    return Statement(movement.entity_key(), identity(movement.source, movement.event_id), fact)


def in_transit(state: Transit) -> InTransit | None:
    """The payload of a transit contribution; None where nothing remains."""
    if not state.unit:
        return None
    return InTransit(state.unit, state.shipped, state.delivered, state.final, state.delivered_at)
