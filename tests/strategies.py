"""All Hypothesis strategies: valid events of every type, from pools small enough that things collide.

An event_id belongs to one entity (so a later statement of it keeps its Kafka key, as the contract asks)
and there are few of them, so that repeats, corrections and retractions of one event are common, also with
equal `recorded_at`. The type may change from one statement to the next.
"""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

from schemas.event import Event, References
from schemas.operator import Acknowledged, Unacknowledged
from schemas.reference import ItemDescribed, LaneDescribed, SiteDescribed, SourceDescribed
from schemas.shipment import (
    MILESTONES,
    ConditionReported,
    MilestoneReported,
    PositionReported,
    ShipmentLine,
)
from schemas.supplier import (
    AdvanceShipNotice,
    LineChange,
    NoticeLine,
    OrderCancelled,
    OrderChanged,
    OrderClosed,
    OrderConfirmed,
    OrderLine,
    OrderPlaced,
)
from schemas.warehouse import (
    Adjusted,
    Counted,
    Moved,
    Packed,
    Picked,
    PutAway,
    Quarantined,
    Received,
    Released,
    Reserved,
    Restored,
    Returned,
    Scrapped,
    Shipped,
)

START: Final = datetime(2026, 3, 1, tzinfo=UTC)
"""No event of the strategies is before this, and none is more than 20 days after it."""

SOURCES: Final = ("acme", "port-erp")
ORDERS: Final = ("PO-1", "PO-2", "PO-Ü")
SHIPMENTS: Final = ("S-1", "S-2", "S-3")
SITES: Final = ("BER", "NBO")
ITEMS: Final = ("00012345678905", "acme:4711", "acme:a|b>c")
UNITS: Final = ("pack", "pack", "pack", "pallet")
LINES: Final = ("1", "2", "3")
CARRIERS: Final = ("Blue Line", "RoadCo")
EVENTS_PER_ENTITY: Final = 4
LAST_DAY: Final = 20

_ZONES: Final = (UTC, timezone(timedelta(hours=2)), timezone(-timedelta(hours=5, minutes=30)))
_MILESTONES: Final[st.SearchStrategy[Any]] = st.sampled_from((*MILESTONES, *["delivered", "departed"] * 8))
_MOVEMENTS: Final[tuple[type[Any], ...]] = (
    Received,
    PutAway,
    Picked,
    Packed,
    Shipped,
    Counted,
    Reserved,
    Released,
    Quarantined,
    Restored,
    Returned,
    Scrapped,
)
_MODELS: Final[st.SearchStrategy[type[Any]]] = st.sampled_from([*_MOVEMENTS, Adjusted, Moved])


def raw(event: Event) -> bytes:
    """The event's bytes on the wire."""
    return event.model_dump_json().encode()


def events(topic: str) -> st.SearchStrategy[Event]:
    """Events of every type of this fact topic."""
    return {
        "supplier.events": supplier_events,
        "shipment.events": shipment_events,
        "warehouse.events": warehouse_events,
        "reference.events": reference_events,
        "operator.events": operator_events,
    }[topic]()


def moments() -> st.SearchStrategy[datetime]:
    """Times with few distinct values and several offsets; some with milliseconds."""
    return st.builds(
        lambda hours, milliseconds, zone: (START + timedelta(hours=hours, milliseconds=milliseconds)).astimezone(zone),
        st.integers(0, LAST_DAY * 4 - 1).map(lambda quarter: quarter * 6),
        st.sampled_from((0, 0, 0, 1, 999)),
        st.sampled_from(_ZONES),
    )


def days() -> st.SearchStrategy[datetime]:
    """Starts of days, as sources say them that know days only."""
    return st.builds(
        lambda day, zone: (START + timedelta(days=day)).replace(tzinfo=zone),
        st.integers(1, LAST_DAY - 1),
        st.sampled_from(_ZONES),
    )


def quantities(least: int = 0) -> st.SearchStrategy[Decimal]:
    """Quantities with up to three decimals, mostly small whole numbers."""
    return st.one_of(
        st.integers(least, 40).map(Decimal),
        st.sampled_from([Decimal("0.001"), Decimal("2.5"), Decimal("10.125"), Decimal("999999999999.999")]),
    )


@st.composite
def supplier_events(draw: st.DrawFn) -> Event:
    """Any event of an order."""
    order_id = draw(st.sampled_from(ORDERS))
    said = _said(draw, order_id) | {"order_id": order_id}
    when = days() if said["precision"] == "day" else moments()
    supplier = draw(st.sampled_from(("Acme Ltd", "Zhōngguó Parts")))
    kind = draw(st.sampled_from(("placed", "placed", "notice", "confirmed", "changed", "cancelled", "closed")))
    reason = draw(st.none() | st.just("customer's wish\nsee mail"))
    if kind == "placed":
        return OrderPlaced(
            type="order_placed",
            supplier=supplier,
            buyer=draw(st.none() | st.just("Hospital 7")),
            destination=draw(st.none() | st.sampled_from(SITES)),
            lines=draw(_lines(OrderLine, when, priced=True)),
            **said,
        )
    if kind == "notice":
        return AdvanceShipNotice(
            type="advance_ship_notice",
            shipment_id=draw(st.sampled_from(SHIPMENTS)),
            supplier=supplier,
            carrier=draw(st.none() | st.sampled_from(CARRIERS)),
            origin=draw(st.none() | st.sampled_from(SITES)),
            destination=draw(st.none() | st.sampled_from(SITES)),
            promised_at=draw(st.none() | when),
            lines=draw(_lines(NoticeLine, when)),
            **said,
        )
    if kind == "confirmed":
        return OrderConfirmed(type="order_confirmed", lines=draw(st.just(()) | _lines(LineChange, when)), **said)
    if kind == "changed":
        return OrderChanged(type="order_changed", lines=draw(_lines(LineChange, when)), **said)
    if kind == "cancelled":
        line_ids = tuple(draw(st.lists(st.sampled_from(LINES), unique=True, max_size=2)))
        return OrderCancelled(type="order_cancelled", line_ids=line_ids, reason=reason, **said)
    return OrderClosed(type="order_closed", reason=reason, **said)


@st.composite
def shipment_events(draw: st.DrawFn) -> Event:
    """Any event of a shipment; mostly milestones, and among them often deliveries."""
    shipment_id = draw(st.sampled_from(SHIPMENTS))
    said = _said(draw, shipment_id) | {"shipment_id": shipment_id}
    when = days() if said["precision"] == "day" else moments()
    kind = draw(st.sampled_from(("milestone", "milestone", "milestone", "position", "condition")))
    if kind == "position":
        return PositionReported(
            type="position",
            latitude=draw(st.decimals(-90, 90, places=6)),
            longitude=draw(st.decimals(-180, 180, places=6)),
            **said,
        )
    if kind == "condition":
        readings = st.none() | st.decimals(-40, 120, places=3)
        names = ("temperature", "temperature_min", "temperature_max", "humidity", "humidity_max", "shock")
        said |= {name: draw(readings) for name in names}
        return ConditionReported(type="condition", shock_max=Decimal(5), **said)
    return MilestoneReported(
        type="milestone",
        milestone=draw(_MILESTONES),
        classifier=draw(st.sampled_from(("planned", "estimated", "actual", "actual"))),
        leg=draw(st.sampled_from((1, 1, 1, 2, 3))),
        location=draw(st.none() | st.sampled_from(SITES)),
        mode=draw(st.none() | st.sampled_from(("air", "ocean", "road"))),
        carrier=draw(st.none() | st.sampled_from(CARRIERS)),
        origin=draw(st.none() | st.sampled_from(SITES)),
        destination=draw(st.none() | st.sampled_from(SITES)),
        promised_at=draw(st.none() | when),
        lines=draw(_lines(ShipmentLine, when, empty=True)),
        **said,
    )


@st.composite
def warehouse_events(draw: st.DrawFn) -> Event:
    """Any event of an item at a site."""
    site, item = draw(st.sampled_from(SITES)), draw(st.sampled_from(ITEMS))
    said = _said(draw, f"{site}|{item}") | {
        "site": site,
        "item": item,
        "unit": draw(st.sampled_from(UNITS)),
        "lot": draw(st.none() | st.just("L 7")),
        "reason": draw(st.none() | st.just("found behind the shelf")),
    }
    model = draw(_MODELS)
    if model is Adjusted:
        signed = st.builds(lambda size, sign: size * sign, quantities(), st.sampled_from((1, -1)))
        return Adjusted(type="adjusted", quantity=draw(signed), **said)
    said["quantity"] = draw(quantities())
    if model is Moved:
        return Moved(type="moved", direction=draw(st.sampled_from(("in", "out"))), **said)
    event: Event = model(**said, type=_type_of(model))
    return event


@st.composite
def reference_events(draw: st.DrawFn) -> Event:
    """Any description of a site, an item, a lane or a source."""
    kind = draw(st.sampled_from(("site", "item", "lane", "source")))
    site, item, source = (draw(st.sampled_from(pool)) for pool in (SITES, ITEMS, SOURCES))
    said = _said(draw, f"{kind}|{ {'site': site, 'item': item, 'lane': 'NBO', 'source': source}[kind] }")
    name = draw(st.none() | st.just("Berlin | North > 1"))
    if kind == "site":
        return SiteDescribed(
            type="site_described",
            site=site,
            name=name,
            latitude=draw(st.none() | st.decimals(-90, 90, places=6)),
            longitude=draw(st.none() | st.decimals(-180, 180, places=6)),
            zone=draw(st.none() | st.just("Africa/Nairobi")),
            daily_capacity=draw(st.none() | quantities()),
            **said,
        )
    if kind == "item":
        return ItemDescribed(
            type="item_described",
            item=item,
            name=name,
            unit=draw(st.none() | st.sampled_from(UNITS)),
            reorder_point=draw(st.none() | quantities()),
            **said,
        )
    hours = st.none() | st.sampled_from((Decimal("0.5"), Decimal(72)))
    if kind == "lane":
        return LaneDescribed(
            type="lane_described", origin="NBO", destination="BER", transit_promise=draw(hours), **said
        )
    return SourceDescribed(type="source_described", describes=source, name=name, expected_cadence=draw(hours), **said)


@st.composite
def operator_events(draw: st.DrawFn) -> Event:
    """An acknowledgement, or its withdrawal."""
    exception_id = f"late_delivery/shipment/{draw(st.sampled_from(SHIPMENTS))}"
    said = _said(draw, exception_id) | {"exception_id": exception_id, "by": "Ines"}
    if draw(st.booleans()):
        return Unacknowledged(type="unacknowledged", **said)
    return Acknowledged(type="acknowledged", until=draw(moments()), note="the carrier called", **said)


def _said(draw: st.DrawFn, entity: str) -> dict[str, Any]:
    """What all events have."""
    precision = draw(st.sampled_from(("instant", "instant", "instant", "day")))
    when = days() if precision == "day" else moments()
    references = References(
        order_id=draw(st.none() | st.sampled_from(ORDERS)),
        shipment_id=draw(st.none() | st.sampled_from(SHIPMENTS)),
        container=draw(st.none() | st.sampled_from(("CSQU3054383", "CSQU3054384"))),
    )
    return {
        "event_id": f"{entity}#{draw(st.integers(1, EVENTS_PER_ENTITY))}",
        "source": draw(st.sampled_from(SOURCES)),
        "occurred_at": draw(when),
        "recorded_at": START + timedelta(days=LAST_DAY - 1, minutes=draw(st.integers(0, 3))),
        "retracted": draw(st.sampled_from((False, False, False, True))),
        "precision": precision,
        "zone_assumed": draw(st.booleans()),
        "references": references,
        "attributes": draw(st.sampled_from(({}, {"truck": "B-XY 1"}, {"ü": "tab\tand\nline"}))),
    }


def _lines(
    model: type[Any], when: st.SearchStrategy[datetime], *, priced: bool = False, empty: bool = False
) -> st.SearchStrategy[tuple[Any, ...]]:
    """One to three lines of this model, each line_id once; what may be absent sometimes is."""
    changing = model is LineChange
    fields: dict[str, st.SearchStrategy[Any]] = {
        "line_id": st.sampled_from(LINES),
        "item": st.sampled_from(ITEMS),
        "quantity": quantities(),
        "unit": st.sampled_from(UNITS),
        "promised_at": st.none() | when,
    }
    if changing:
        fields |= {name: st.none() | fields[name] for name in ("item", "quantity", "unit")}
    if "requested_at" in model.model_fields:
        fields["requested_at"] = st.none() | when
    if "order_id" in model.model_fields:
        fields["order_id"] = st.none() | st.sampled_from(ORDERS)
    if priced:
        fields["unit_cost"] = st.none() | st.decimals(0, 1_000, places=6)
        fields["currency"] = st.none() | st.sampled_from(("USD", "EUR"))
    return st.lists(
        st.builds(model, **fields),
        min_size=0 if empty else 1,
        max_size=3,
        unique_by=lambda line: line.line_id,
    ).map(tuple)


def _type_of(model: type[Any]) -> str:
    """The `type` that events of this model carry."""
    values: tuple[str, ...] = model.model_fields["type"].annotation.__args__
    return values[0]
