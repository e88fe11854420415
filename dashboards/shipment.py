"""One shipment: its whole story, down to every event behind it."""

from typing import Final

from dashboards.board import Dashboard
from dashboards.names import SHIPMENT_UID
from dashboards.panels import Box, Column, StateTimeline, Table, Text, TimeSeries, bad_from
from dashboards.shared import OPEN_LANE, OPEN_SUPPLIER, SHIPMENT_ID, variables

_CHOOSE: Final = "choose a shipment: type its id at the top, or follow one from a table"
_LATE_HOURS: Final = bad_from(72, 24)

_STORY: Final = (
    Table(
        id=1,
        title="Where it stands",
        description="The chosen shipment at this moment: what was reached last, where it is going, what was promised "
        "and what is expected. Due is the last instant at which the promise is kept.",
        box=Box(0, 0, 24, 4),
        query="shipment_summary",
        empty=_CHOOSE,
        columns=(
            Column("status", "Status"),
            Column("judgement", "Judgement"),
            Column("leg", "Leg", width=60),
            Column("lane", "Lane", link=OPEN_LANE),
            Column("carrier", "Carrier"),
            Column("mode", "Mode", width=80),
            Column("promised_at", "Promised", width=170),
            Column("due_at", "Due", width=170),
            Column("estimated_at", "Estimated", width=170),
            Column("delivered_at", "Delivered", width=170),
            Column("late_hours", "Late by", unit="h", decimals=1, thresholds=_LATE_HOURS),
            Column("seen_at", "Last seen", width=170),
            Column("orders", "Orders"),
            Column("findings", "Findings"),
        ),
    ),
    StateTimeline(
        id=2,
        title="Planned, estimated, actual",
        description="Three bands on one time axis: the milestones as they were planned, as they were last estimated "
        "and as they happened; the figure before a milestone is its leg. Widen the time range to see the whole way.",
        box=Box(0, 4, 24, 7),
        query="shipment_timeline",
        empty=_CHOOSE,
        band="said",
    ),
    Table(
        id=3,
        title="Milestones",
        description="Planned, estimated and actual times by leg. Inferred: nobody reported it, a later one "
        "was reached. Overdue: its planned time is past.",
        box=Box(0, 11, 14, 9),
        query="shipment_milestones",
        empty=_CHOOSE,
        columns=(
            Column("leg", "Leg", width=60),
            Column("milestone", "Milestone"),
            Column("location", "Place"),
            Column("planned_at", "Planned", width=170),
            Column("estimated_at", "Estimated", width=170),
            Column("actual_at", "Actual", width=170),
            Column("state", "State", width=100),
        ),
    ),
    Table(
        id=4,
        title="Open exceptions",
        description="What is wrong with it at this moment, and who has it in hand. `quayside ack` takes the exception "
        "id.",
        box=Box(14, 11, 10, 9),
        query="shipment_exceptions",
        empty="nothing is wrong with the chosen shipment, or none is chosen",
        columns=(
            Column("opened_at", "Open since", width=170),
            Column("kind", "Kind"),
            Column("detail", "What is wrong", width=260),
            Column("in_hand", "In hand of"),
            Column("until", "Until", width=170),
            Column("note", "Note"),
            Column("exception_id", "Exception id"),
        ),
    ),
)

_GOODS: Final = (
    Table(
        id=5,
        title="Legs",
        description="Each leg from its first to its last milestone: as planned, as it was, and how long it took.",
        box=Box(0, 20, 10, 7),
        query="shipment_legs",
        empty=_CHOOSE,
        columns=(
            Column("leg", "Leg", width=60),
            Column("departs_from", "From"),
            Column("arrives_at", "To"),
            Column("planned_from", "Planned from", width=170),
            Column("planned_to", "Planned to", width=170),
            Column("departed_at", "Began", width=170),
            Column("arrived_at", "Last reached", width=170),
            Column("days", "Took", unit="d", decimals=1, width=80),
            Column("reached", "Reached", width=80),
            Column("milestones", "Milestones", width=100),
            Column("overdue", "Overdue", width=80, thresholds=bad_from(1)),
        ),
    ),
    Table(
        id=6,
        title="Order lines it brings",
        description="What was ordered, shipped and delivered of each line that names this shipment (all shipments of "
        "the line together), and how late it is.",
        box=Box(10, 20, 14, 7),
        query="shipment_lines",
        empty="no order line names the shipment: publish advance ship notices, or milestones with lines and an "
        "order_id",
        columns=(
            Column("order_id", "Order"),
            Column("line_id", "Line", width=70),
            Column("supplier", "Supplier", link=OPEN_SUPPLIER),
            Column("item", "Item"),
            Column("ordered", "Ordered", width=90),
            Column("shipped", "Shipped", width=90),
            Column("delivered", "Delivered", width=90),
            Column("unit", "Unit", width=70),
            Column("promised_at", "Promised", width=170),
            Column("delivered_at", "Delivered at", width=170),
            Column("line_status", "Status"),
            Column("late_days", "Late by", unit="d", decimals=1, thresholds=bad_from(3, 1)),
        ),
    ),
    TimeSeries(
        id=7,
        title="Sensor readings",
        description="Temperature in degrees Celsius, humidity in per cent, shock in g, as its sensors told, over the "
        "time range. Three readings in a row outside of the limits are an exception.",
        box=Box(0, 27, 10, 8),
        query="shipment_readings",
        decimals=1,
        empty="no readings in this time range: its carrier sends none (events of type condition)",
        label="reading",
        from_zero=False,
        points=True,
    ),
    Table(
        id=8,
        title="Corrections",
        description="Each event that was said more than once or withdrawn, with every statement of it: which one "
        "counts, and which it replaced. The greatest recorded time wins.",
        box=Box(10, 27, 14, 8),
        query="shipment_corrections",
        empty="nothing about the shipment was corrected, or none is chosen",
        columns=(
            Column("source", "Source"),
            Column("event_id", "Event id"),
            Column("type", "Type", width=100),
            Column("milestone", "Milestone"),
            Column("occurred_at", "Occurred", width=170),
            Column("recorded_at", "Recorded", width=170),
            Column("counts", "What became of it"),
        ),
    ),
)

_EVENTS: Final = (
    Text(
        id=9,
        title="How to read the events",
        description="What the two times of an event are, and which statement of it counts.",
        box=Box(0, 35, 24, 3),
        content="*Occurred* is when it happened (of a plan or an estimate: when it is to happen), *recorded* when it "
        "was said, *arrived* when the broker took it. A later statement with the same source and event id replaces an "
        "earlier one. The coordinate is epoch/partition/offset.",
    ),
    Table(
        id=10,
        title="Every event of the shipment",
        description="Up to 500 events as they came, repeats, corrections and withdrawals included, the "
        "newest statement first. The coordinate is epoch/partition/offset in shipment.events.",
        box=Box(0, 38, 24, 10),
        query="shipment_events",
        empty=_CHOOSE,
        columns=(
            Column("recorded_at", "Recorded", width=170),
            Column("occurred_at", "Occurred", width=170),
            Column("type", "Type", width=100),
            Column("milestone", "Milestone"),
            Column("classifier", "Classifier", width=100),
            Column("leg", "Leg", width=60),
            Column("source", "Source"),
            Column("event_id", "Event id"),
            Column("withdrawn", "Withdrawn", width=100),
            Column("appended_at", "Arrived", width=170),
            Column("coordinate", "Coordinate", width=110),
            Column("raw_event", "As it came"),
        ),
    ),
    Table(
        id=11,
        title="Events of its orders and goods",
        description="Up to 200 supplier events of the orders that it brings, and warehouse events that name it at its "
        "origin and destination, as they came.",
        box=Box(0, 48, 24, 9),
        query="shipment_order_events",
        empty="no order or receipt names the shipment, or none is chosen",
        columns=(
            Column("recorded_at", "Recorded", width=170),
            Column("occurred_at", "Occurred", width=170),
            Column("stream", "Topic"),
            Column("type", "Type"),
            Column("about", "Order, or site and item"),
            Column("source", "Source"),
            Column("event_id", "Event id"),
            Column("withdrawn", "Withdrawn", width=100),
            Column("appended_at", "Arrived", width=170),
            Column("coordinate", "Coordinate", width=110),
            Column("raw_event", "As it came"),
        ),
    ),
)

SHIPMENT: Final = Dashboard(
    uid=SHIPMENT_UID,
    file="shipment",
    title="One shipment",
    description="What happened to this shipment, what was promised and planned, and who said so? Down to every event.",
    panels=(*_STORY, *_GOODS, *_EVENTS),
    variables=variables(SHIPMENT_ID),
    since="now-30d",
    refresh="30s",
)
