"""What the agents publish: contributions to each other, and views, whole per key, with a version.

Views and contributions are JSON objects `{"version": [epoch, offset], "state": {...}}`; `state` is one of the structs
here. Dead letters and late records have no version: each is said once, by itself.
Integers throughout: times in ms since the epoch, quantities in thousandths, degrees in millionths.
Of several records with one key the greatest version counts.
"""

from typing import Final, Generic, TypeVar

import msgspec

State = TypeVar("State")


class Published(msgspec.Struct, Generic[State], frozen=True, omit_defaults=True):
    """A state with its version: (epoch, offset of the last changelog record behind it).

    `gone`: nothing is known of the entity any more (all that was said of it was retracted, or meant another
    one), so the view is to be taken as if it had never been; only said when it is so.
    """

    version: tuple[int, int]
    state: State
    gone: bool = False


class DeliveryLine(msgspec.Struct, frozen=True):
    """What a shipment tells of one order line: shipped, and delivered when it is."""

    line_id: str
    item: str
    unit: str
    shipped: int
    delivered: int
    delivered_at: int | None = None
    promised_at: int | None = None
    due_at: int | None = None


class Delivery(msgspec.Struct, frozen=True):
    """delivery.contributions: what one shipment tells one order. No lines: nothing remains."""

    contributor: str
    order_id: str
    lines: tuple[DeliveryLine, ...] = ()


class Transit(msgspec.Struct, frozen=True):
    """transit.contributions: how much of an item one shipment brings to one site. No unit: nothing remains.

    `final`: the shipment has ended, so what is neither received nor delivered is a mismatch, not in transit.
    """

    contributor: str
    site: str
    item: str
    unit: str = ""
    shipped: int = 0
    delivered: int = 0
    final: bool = False
    delivered_at: int | None = None


class LeadTime(msgspec.Struct, frozen=True):
    """lead.contributions: the lead times of one route that one entity observed; none: nothing remains.

    Each observation is (day, duration): days since 1970-01-01 (UTC) of the moment it finished, and ms.
    A negative duration is a finding and stays out of the statistic.
    """

    contributor: str
    measure: str
    route: str
    observations: tuple[tuple[int, int], ...] = ()


class OrderLineState(msgspec.Struct, frozen=True):
    """One line of an order. `late_ms`: how long after promised_at it was delivered (0: in time or not yet).

    status: announced (only an advance ship notice or a shipment tells of it), placed, confirmed,
    shipped, partly_delivered, delivered, cancelled, closed.
    findings: delivered_before_ordered, unit_conflict, delivered_more_than_ordered.
    """

    line_id: str
    status: str
    item: str
    unit: str
    ordered: int
    shipped: int = 0
    delivered: int = 0
    ordered_at: int | None = None
    requested_at: int | None = None
    promised_at: int | None = None
    due_at: int | None = None
    delivered_at: int | None = None
    late: bool = False
    late_ms: int = 0
    unit_cost_micros: int | None = None
    currency: str | None = None
    shipments: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


class OrderStatus(msgspec.Struct, frozen=True):
    """order.status: an order and its lines. `ordered_at` is null where no date of order was told."""

    order_id: str
    status: str
    supplier: str | None = None
    buyer: str | None = None
    destination: str | None = None
    ordered_at: int | None = None
    lines: tuple[OrderLineState, ...] = ()
    final: bool = False


class MilestoneState(msgspec.Struct, frozen=True):
    """One milestone of a shipment; `inferred`: nobody reported it, a later one was reached."""

    leg: int
    milestone: str
    planned_at: int | None = None
    planned_due_at: int | None = None
    estimated_at: int | None = None
    actual_at: int | None = None
    inferred: bool = False
    location: str | None = None


class ShipmentLineState(msgspec.Struct, frozen=True):
    """One line of goods in a shipment. `late`: delivered after its own promise (else the shipment's)."""

    item: str
    unit: str
    order_id: str | None
    line_id: str | None
    shipped: int
    delivered: int
    delivered_at: int | None = None
    promised_at: int | None = None
    due_at: int | None = None
    late: bool = False
    late_ms: int = 0


class ShipmentStatus(msgspec.Struct, frozen=True):
    """shipment.status: a shipment. status: planned, the last milestone reached, or unknown.

    `due_at`: the last instant at which the promise is kept. `late` and `late_ms` speak of a delivered
    shipment; whether one under way is late depends on the time and is computed where it is read.
    """

    shipment_id: str
    status: str
    leg: int
    final: bool
    carrier: str | None = None
    mode: str | None = None
    origin: str | None = None
    destination: str | None = None
    lane: str = "?>?"
    promised_at: int | None = None
    due_at: int | None = None
    estimated_at: int | None = None
    departed_at: int | None = None
    delivered_at: int | None = None
    late: bool = False
    late_ms: int = 0
    late_lines: int = 0
    latitude_micros: int | None = None
    longitude_micros: int | None = None
    seen_at: int | None = None
    orders: tuple[str, ...] = ()
    milestones: tuple[MilestoneState, ...] = ()
    lines: tuple[ShipmentLineState, ...] = ()
    findings: tuple[str, ...] = ()


class StockPosition(msgspec.Struct, frozen=True):
    """stock.positions: an item at a site, in thousandths of `unit`.

    received + returned + moved_in + adjusted + count_variance = on_hand + shipped + moved_out + scrapped.
    findings: negative_stock, unit_conflict, quantity_mismatch.
    """

    site: str
    item: str
    unit: str
    on_hand: int = 0
    reserved: int = 0
    quarantined: int = 0
    available: int = 0
    in_transit: int = 0
    received: int = 0
    returned: int = 0
    moved_in: int = 0
    adjusted: int = 0
    count_variance: int = 0
    shipped: int = 0
    moved_out: int = 0
    scrapped: int = 0
    picked: int = 0
    packed: int = 0
    put_away: int = 0
    mismatch: int = 0
    movements: int = 0
    last_movement_at: int | None = None
    negative_since: int | None = None
    stockout_since: int | None = None
    findings: tuple[str, ...] = ()


class LeadWindow(msgspec.Struct, frozen=True):
    """A statistic over a window of days. Sums are exact: `total` in ms, `squares` in ms squared.

    `squares` is decimal text, since it outgrows 64 bits. `buckets`: (index, count) of the log buckets
    of `schemas.buckets`, sorted. Quantiles in ms, from the buckets, within 1 %.
    """

    count: int
    negative: int
    total: int
    squares: str
    p50: int | None
    p90: int | None
    p95: int | None
    buckets: tuple[tuple[int, int], ...] = ()


class LeadStats(msgspec.Struct, frozen=True):
    """lead.stats: the lead times of one route. measure: see docs/views.md, lead_time_stats.

    `recent` covers the 90 days that end with `last_day` (days since 1970-01-01, UTC).
    """

    measure: str
    route: str
    last_day: int | None
    recent: LeadWindow
    all: LeadWindow


class ExceptionState(msgspec.Struct, frozen=True):
    """One open exception. `opened_at`: when the promise was broken, in ms."""

    exception_id: str
    kind: str
    opened_at: int
    detail: str


class ExceptionSet(msgspec.Struct, frozen=True):
    """exceptions: an entity's complete set; what is absent is closed."""

    entity: str
    exceptions: tuple[ExceptionState, ...] = ()


class DeadLetter(msgspec.Struct, frozen=True):
    """dead.letters: a record that could not be read, where it stood, why, and its bytes (base64)."""

    epoch: int
    topic: str
    partition: int
    offset: int
    appended_at: int
    cause: str
    reason: str
    field: str
    key: bytes
    value: bytes
    origin: str = ""


class LateRecord(msgspec.Struct, frozen=True):
    """late.records: an event that came after its period closed, so was kept but not applied."""

    epoch: int
    topic: str
    partition: int
    offset: int
    appended_at: int
    entity: str
    reason: str
    value: bytes


encode: Final = msgspec.json.Encoder().encode
"""Any of these structs as JSON bytes; fields in the order they are declared."""
