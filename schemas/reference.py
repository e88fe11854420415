"""reference.events: what is known of sites, items, lanes and sources. Key: kind|name. Compacted."""

from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.event import Event, Item, Label, Name, Unit
from schemas.quantities import Quantity

TOPIC = "reference.events"

Hours = Annotated[Decimal, Field(gt=0, lt=100_000, decimal_places=3)]
Degrees = Annotated[Decimal, Field(decimal_places=6)]


class _ReferenceEvent(Event):
    """What all reference events have."""

    topic: ClassVar[str] = TOPIC


class SiteDescribed(_ReferenceEvent):
    """A site: where it is, its time zone (IANA name) and how much it can receive in a day."""

    type: Literal["site_described"]
    site: Name
    name: Label | None = None
    latitude: Annotated[Degrees, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[Degrees, Field(ge=-180, le=180)] | None = None
    zone: Label | None = None
    daily_capacity: Quantity | None = None

    def entity_key(self) -> str:
        """The site."""
        return f"site|{self.site}"


class ItemDescribed(_ReferenceEvent):
    """An item: its name, its unit and the quantity at which it is ordered again."""

    type: Literal["item_described"]
    item: Item
    name: Label | None = None
    unit: Unit | None = None
    reorder_point: Quantity | None = None

    def entity_key(self) -> str:
        """The item."""
        return f"item|{self.item}"


class LaneDescribed(_ReferenceEvent):
    """A lane and the transit time that is promised on it, in hours."""

    type: Literal["lane_described"]
    origin: Name
    destination: Name
    transit_promise: Hours | None = None

    def entity_key(self) -> str:
        """The lane."""
        return f"lane|{lane(self.origin, self.destination)}"


class SourceDescribed(_ReferenceEvent):
    """A source of events and the longest gap between them that is usual for it, in hours."""

    type: Literal["source_described"]
    describes: Label
    name: Label | None = None
    expected_cadence: Hours | None = None

    def entity_key(self) -> str:
        """The source described."""
        return f"source|{self.describes}"


ReferenceEvent = Annotated[
    SiteDescribed | ItemDescribed | LaneDescribed | SourceDescribed,
    Field(discriminator="type"),
]


def lane(origin: str | None, destination: str | None) -> str:
    """The name of a lane: `origin>destination`, with `?` for an end that nobody told."""
    return f"{origin or '?'}>{destination or '?'}"
