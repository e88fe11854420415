"""shipment.events: what carriers and forwarders say of shipments. Key: shipment_id."""

from decimal import Decimal
from typing import Annotated, ClassVar, Final, Literal, get_args

from pydantic import Field

from schemas.event import Event, Item, Moment, Name, Part, Unit
from schemas.quantities import Quantity, Reading

TOPIC = "shipment.events"

Milestone = Literal[
    "booked",
    "at_pickup",
    "picked_up",
    "gate_in",
    "loaded",
    "departed",
    "arrived",
    "discharged",
    "customs_hold",
    "customs_released",
    "available",
    "out_for_delivery",
    "delivered",
    "returned",
    "empty_returned",
    "cancelled",
]
Classifier = Literal["planned", "estimated", "actual"]
Mode = Literal["air", "ocean", "road", "rail", "inland_water", "parcel", "multimodal"]

MILESTONES: Final[tuple[str, ...]] = get_args(Milestone)
RANK: Final[dict[str, int]] = {milestone: rank for rank, milestone in enumerate(MILESTONES)}
"""The order of milestones within a leg (the order of the list above)."""

Degrees = Annotated[Decimal, Field(decimal_places=6)]


class ShipmentLine(Part):
    """Goods in the shipment: of which order line, how much, and by when they were promised."""

    item: Item
    quantity: Quantity
    unit: Unit
    order_id: Name | None = None
    line_id: Name | None = None
    promised_at: Moment | None = None


class _ShipmentEvent(Event):
    """What all events of a shipment have."""

    topic: ClassVar[str] = TOPIC
    shipment_id: Name

    def entity_key(self) -> str:
        """The shipment."""
        return self.shipment_id


class MilestoneReported(_ShipmentEvent):
    """A milestone was planned, estimated or reached.

    `leg` counts from 1; milestones rank by (leg, their place in the list). `lines` on a milestone before
    delivery tell what is in the shipment; on `delivered` and `returned`, what was handed over there.
    """

    type: Literal["milestone"]
    milestone: Milestone
    classifier: Classifier
    leg: Annotated[int, Field(ge=1, le=99)] = 1
    location: Name | None = None
    mode: Mode | None = None
    carrier: Name | None = None
    origin: Name | None = None
    destination: Name | None = None
    promised_at: Moment | None = None
    lines: Annotated[tuple[ShipmentLine, ...], Field(max_length=1_000, fail_fast=True)] = ()


class PositionReported(_ShipmentEvent):
    """Where the shipment was seen, in degrees (WGS 84)."""

    type: Literal["position"]
    latitude: Annotated[Degrees, Field(ge=-90, le=90)]
    longitude: Annotated[Degrees, Field(ge=-180, le=180)]


class ConditionReported(_ShipmentEvent):
    """A sensor's reading, with the limits that were agreed for the goods where they are known.

    Temperature in degrees Celsius, humidity in per cent, shock in g.
    """

    type: Literal["condition"]
    temperature: Reading | None = None
    temperature_min: Reading | None = None
    temperature_max: Reading | None = None
    humidity: Reading | None = None
    humidity_max: Reading | None = None
    shock: Reading | None = None
    shock_max: Reading | None = None


ShipmentEvent = Annotated[
    MilestoneReported | PositionReported | ConditionReported,
    Field(discriminator="type"),
]
