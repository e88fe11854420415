"""What the shipments agent keeps of shipment events."""

from decimal import Decimal
from typing import Final

import msgspec

from schemas.event import Event
from schemas.quantities import micros, shown, thousandths
from schemas.shipment import (
    ConditionReported,
    MilestoneReported,
    ShipmentEvent,
    ShipmentLine,
)
from schemas.times import due_ms, to_ms
from schemas.versions import event_version, identity
from streams.facts import Fact, Statement, TimePassed

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


Payload = MilestoneFact | PositionFact | ConditionFact | TimePassed


def shipment_statement(event: Event, raw: bytes) -> Statement:
    """The fact that a shipment event states."""
    said: ShipmentEvent = event  # type: ignore[assignment]  # this agent reads one topic of events
    version = event_version(said.recorded_ms, raw, retracted=said.retracted)
    payload = None if said.retracted else _payload(said)
    return Statement(said.shipment_id, identity(said.source, said.event_id), Fact(version, payload))


def _payload(said: ShipmentEvent) -> MilestoneFact | PositionFact | ConditionFact:
    if said.type == "position":
        return PositionFact(said.occurred_ms, micros(said.latitude), micros(said.longitude))
    if said.type == "condition":
        return ConditionFact(said.occurred_ms, _breaches(said))
    promised = said.promised_at
    return MilestoneFact(
        milestone=said.milestone,
        classifier=said.classifier,
        leg=said.leg,
        occurred_at=said.occurred_ms,
        occurred_due=due_ms(said.occurred_ms, day_precision=said.precision == "day"),
        location=said.location,
        mode=said.mode,
        carrier=said.carrier,
        origin=said.origin,
        destination=said.destination,
        promised_at=None if promised is None else to_ms(promised),
        due_at=None if promised is None else said.due(promised),
        lines=tuple([_line(said, line) for line in said.lines]) if said.lines else (),
    )


def _line(said: MilestoneReported, line: ShipmentLine) -> Line:
    promised = line.promised_at
    return Line(
        item=line.item,
        quantity=thousandths(line.quantity),
        unit=line.unit,
        order_id=line.order_id or said.references.order_id,
        line_id=line.line_id,
        promised_at=None if promised is None else to_ms(promised),
        due_at=None if promised is None else said.due(promised),
    )


def _breaches(said: ConditionReported) -> tuple[str, ...]:
    """The limits that the reading breaks."""
    above = (
        ("temperature", said.temperature, said.temperature_max),
        ("humidity", said.humidity, said.humidity_max),
        ("shock", said.shock, said.shock_max),
    )
    broken = [
        f"{name} {_shown(value)} above {_shown(most)}"
        for name, value, most in above
        if value is not None and most is not None and value > most
    ]
    value, least = said.temperature, said.temperature_min
    if value is not None and least is not None and value < least:
        broken.insert(0, f"temperature {_shown(value)} below {_shown(least)}")
    return tuple(broken)


def _shown(reading: Decimal) -> str:
    """The reading however it was written: `9.50` and `9.5` are one."""
    return shown(thousandths(reading))
