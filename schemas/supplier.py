"""supplier.events: what buyers and suppliers say of orders. Key: order_id."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.event import Currency, Event, Item, Moment, Name, Part, Text, Unit
from schemas.quantities import Money, Quantity

TOPIC = "supplier.events"


class OrderLine(Part):
    """One line of an order as placed. Quantity in `unit`; unit_cost in `currency` per unit."""

    line_id: Name
    item: Item
    quantity: Quantity
    unit: Unit
    requested_at: Moment | None = None
    promised_at: Moment | None = None
    unit_cost: Money | None = None
    currency: Currency | None = None


class LineChange(Part):
    """What a confirmation or a change says of one line; what is absent stays as it was."""

    line_id: Name
    item: Item | None = None
    quantity: Quantity | None = None
    unit: Unit | None = None
    requested_at: Moment | None = None
    promised_at: Moment | None = None


class NoticeLine(Part):
    """One line of an advance ship notice: how much of an order line is in the shipment."""

    line_id: Name
    item: Item
    quantity: Quantity
    unit: Unit
    promised_at: Moment | None = None


class _OrderEvent(Event):
    """What all events of an order have."""

    topic: ClassVar[str] = TOPIC
    order_id: Name

    def entity_key(self) -> str:
        """The order."""
        return self.order_id


class OrderPlaced(_OrderEvent):
    """An order was placed; `occurred_at` is the date of order."""

    type: Literal["order_placed"]
    supplier: Name
    buyer: Name | None = None
    destination: Name | None = None
    lines: Annotated[tuple[OrderLine, ...], Field(min_length=1, max_length=1_000, fail_fast=True)]


class OrderConfirmed(_OrderEvent):
    """The supplier confirmed the order, or some lines of it, with its promise."""

    type: Literal["order_confirmed"]
    lines: Annotated[tuple[LineChange, ...], Field(max_length=1_000, fail_fast=True)] = ()


class OrderChanged(_OrderEvent):
    """Lines of the order were changed; a quantity of 0 takes a line out."""

    type: Literal["order_changed"]
    lines: Annotated[tuple[LineChange, ...], Field(min_length=1, max_length=1_000, fail_fast=True)]


class OrderCancelled(_OrderEvent):
    """The order was cancelled: the named lines, or all of it when none are named."""

    type: Literal["order_cancelled"]
    line_ids: Annotated[tuple[Name, ...], Field(max_length=1_000)] = ()
    reason: Text | None = None


class OrderClosed(_OrderEvent):
    """Nothing more will come for this order, delivered in full or not."""

    type: Literal["order_closed"]
    reason: Text | None = None


class AdvanceShipNotice(_OrderEvent):
    """The supplier tells what of an order is in a shipment, before it arrives."""

    type: Literal["advance_ship_notice"]
    shipment_id: Name
    supplier: Name
    carrier: Name | None = None
    origin: Name | None = None
    destination: Name | None = None
    promised_at: Moment | None = None
    lines: Annotated[tuple[NoticeLine, ...], Field(min_length=1, max_length=1_000, fail_fast=True)]


SupplierEvent = Annotated[
    OrderPlaced | OrderConfirmed | OrderChanged | OrderCancelled | OrderClosed | AdvanceShipNotice,
    Field(discriminator="type"),
]
