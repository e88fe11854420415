"""warehouse.events: what warehouses say of one item at one site. Key: site|item."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.event import Event, Item, Label, Name, Text, Unit
from schemas.quantities import Quantity, SignedQuantity

TOPIC = "warehouse.events"


class _WarehouseEvent(Event):
    """What all events of an item at a site have."""

    topic: ClassVar[str] = TOPIC
    site: Name
    item: Item
    unit: Unit
    lot: Label | None = None
    reason: Text | None = None

    def entity_key(self) -> str:
        """The item at the site."""
        return stock_key(self.site, self.item)


class Received(_WarehouseEvent):
    """Goods came in; on hand grows. `references.shipment_id` ties them to their shipment."""

    type: Literal["received"]
    quantity: Quantity


class PutAway(_WarehouseEvent):
    """Received goods reached their place; ends dock-to-stock. On hand stays."""

    type: Literal["put_away"]
    quantity: Quantity


class Picked(_WarehouseEvent):
    """Goods were picked for an order. On hand stays."""

    type: Literal["picked"]
    quantity: Quantity


class Packed(_WarehouseEvent):
    """Picked goods were packed. On hand stays."""

    type: Literal["packed"]
    quantity: Quantity


class Shipped(_WarehouseEvent):
    """Goods left the site; on hand falls."""

    type: Literal["shipped"]
    quantity: Quantity


class Counted(_WarehouseEvent):
    """What was found on hand: a barrier. The difference to the books is count variance."""

    type: Literal["counted"]
    quantity: Quantity


class Adjusted(_WarehouseEvent):
    """The books were corrected by a signed quantity, with a reason."""

    type: Literal["adjusted"]
    quantity: SignedQuantity


class Reserved(_WarehouseEvent):
    """On-hand goods were promised to an order; available falls."""

    type: Literal["reserved"]
    quantity: Quantity


class Released(_WarehouseEvent):
    """A reservation was given up or used; available grows."""

    type: Literal["released"]
    quantity: Quantity


class Quarantined(_WarehouseEvent):
    """On-hand goods may not be used for now; available falls."""

    type: Literal["quarantined"]
    quantity: Quantity


class Restored(_WarehouseEvent):
    """Quarantined goods may be used again; available grows."""

    type: Literal["restored"]
    quantity: Quantity


class Returned(_WarehouseEvent):
    """Goods came back from a customer; on hand grows."""

    type: Literal["returned"]
    quantity: Quantity


class Scrapped(_WarehouseEvent):
    """Goods were destroyed; on hand falls."""

    type: Literal["scrapped"]
    quantity: Quantity


class Moved(_WarehouseEvent):
    """Goods moved to or from another site of the same owner; each site says its own half."""

    type: Literal["moved"]
    direction: Literal["in", "out"]
    quantity: Quantity


WarehouseEvent = Annotated[
    Received
    | PutAway
    | Picked
    | Packed
    | Shipped
    | Counted
    | Adjusted
    | Reserved
    | Released
    | Moved
    | Quarantined
    | Restored
    | Returned
    | Scrapped,
    Field(discriminator="type"),
]


def stock_key(site: str, item: str) -> str:
    """The key of a stock position; neither part can hold the separator."""
    return f"{site}|{item}"
