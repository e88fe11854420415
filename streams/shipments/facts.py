"""What the shipments agent keeps of shipment events."""

from typing import Any, Final

import msgspec

from schemas.event import Event
from schemas.quantities import micros, thousandths
from schemas.shipment import (
    ConditionReported,
    MilestoneReported,
    ShipmentEvent,
    ShipmentLine,
)
from schemas.times import due_ms, to_ms
from schemas.versions import event_version, identity
from streams.facts import Fact, Statement

PLANNED: Final = "planned"
ESTIMATED: Final = "estimated"
ACTUAL: Final = "actual"


class Line(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Goods in a shipment: quantity in thousandths of unit, times in ms."""

    item: str
    quantity: int
    unit: str
    order_id: str | None
    line_id: str | None
    promised_at: int | None
    due_at: int | None


class MilestoneFact(msgspec.Struct, tag="m", array_like=True, frozen=True):
    """A milestone as told. `occurred_due` is the end of its day where the source knows days only."""

    milestone: str
    classifier: str
    leg: int
    occurred_at: int
    occurred_due: int
    location: str | None
    mode: str | None
    carrier: str | None
    origin: str | None
    destination: str | None
    promised_at: int | None
    due_at: int | None
    lines: tuple[Line, ...]


class PositionFact(msgspec.Struct, tag="p", array_like=True, frozen=True, gc=False):
    """A position in millionths of a degree."""

    occurred_at: int
    latitude: int
    longitude: int


class ConditionFact(msgspec.Struct, tag="c", array_like=True, frozen=True):
    """A sensor's reading, as the limits it breaks: one sentence each, none if all is well."""

    occurred_at: int
    breaches: tuple[str, ...]


Payload = MilestoneFact | PositionFact | ConditionFact


def shipment_statement(event: Event, raw: bytes) -> Statement:
    """The fact that a shipment event states."""
    said: ShipmentEvent = event  # type: ignore[assignment]  # this agent reads one topic of events
    version = event_version(to_ms(said.recorded_at), raw, retracted=said.retracted)
    payload = None if said.retracted else _payload(said)
    return Statement(said.shipment_id, identity(said.source, said.event_id), Fact(version, payload))


def _payload(said: ShipmentEvent) -> Payload:
    occurred_at = to_ms(said.occurred_at)
    if said.type == "position":
        return PositionFact(occurred_at, micros(said.latitude), micros(said.longitude))
    if said.type == "condition":
        return ConditionFact(occurred_at, tuple(_breaches(said)))
    return MilestoneFact(
        milestone=said.milestone,
        classifier=said.classifier,
        leg=said.leg,
        occurred_at=occurred_at,
        occurred_due=due_ms(occurred_at, day_precision=said.by_day),
        location=said.location,
        mode=said.mode,
        carrier=said.carrier,
        origin=said.origin,
        destination=said.destination,
        promised_at=None if said.promised_at is None else to_ms(said.promised_at),
        due_at=said.due(said.promised_at),
        lines=tuple(_line(said, line) for line in said.lines),
    )


def _line(said: MilestoneReported, line: ShipmentLine) -> Line:
    return Line(
        item=line.item,
        quantity=thousandths(line.quantity),
        unit=line.unit,
        order_id=line.order_id or said.references.order_id,
        line_id=line.line_id,
        promised_at=None if line.promised_at is None else to_ms(line.promised_at),
        due_at=said.due(line.promised_at),
    )


def _breaches(said: ConditionReported) -> list[str]:
    """The limits that the reading breaks."""
    limits: tuple[tuple[str, Any, Any, Any], ...] = (
        ("temperature", said.temperature, said.temperature_min, said.temperature_max),
        ("humidity", said.humidity, None, said.humidity_max),
        ("shock", said.shock, None, said.shock_max),
    )
    broken: list[str] = []
    for name, value, low, high in limits:
        if value is not None and high is not None and value > high:
            broken.append(f"{name} {value} above {high}")
        if value is not None and low is not None and value < low:
            broken.append(f"{name} {value} below {low}")
    return broken
