"""Control tower: is anything wrong now?"""

from typing import Final

from dashboards.board import Dashboard
from dashboards.names import CONTROL_TOWER_UID
from dashboards.panels import NEUTRAL, BarGauge, Box, Column, Stat, Table, TimeSeries, bad_from, good_from
from dashboards.shared import (
    CARRIER,
    LANE,
    OPEN_LANE,
    OPEN_SHIPMENT,
    OPEN_SHIPMENTS,
)

_FIGURES: Final = (
    Stat(
        id=1,
        title="Late now",
        description="Open shipments that are past the last instant of their promise at this moment and that "
        "nobody has acknowledged. It does not depend on the time range. The page goes by this, per lane.",
        box=Box(0, 0, 4, 4),
        query="late_now",
        thresholds=bad_from(1),
        links=(OPEN_SHIPMENTS,),
    ),
    Stat(
        id=2,
        title="Late, in hand",
        description="Late shipments that somebody has acknowledged until a time that is not yet over. "
        "They do not page.",
        box=Box(4, 0, 4, 4),
        query="late_acknowledged",
        thresholds=((None, "green"), (1, "yellow")),
        links=(OPEN_SHIPMENTS,),
    ),
    Stat(
        id=3,
        title="Open shipments",
        description="Shipments that are neither delivered, returned nor cancelled, at this moment.",
        box=Box(8, 0, 4, 4),
        query="shipments_open",
        links=(OPEN_SHIPMENTS,),
    ),
    Stat(
        id=4,
        title="On time",
        description="Order lines delivered in full by their promise / delivered lines that had a promise, "
        "over the UTC days that the time range touches. Lines without a promise are left out. "
        "Follows the lanes, not the carriers.",
        box=Box(12, 0, 4, 4),
        query="on_time_share",
        unit="percentunit",
        decimals=1,
        thresholds=good_from(0.95, 0.85),
        empty="no deliveries",
        links=(OPEN_SHIPMENTS,),
    ),
    Stat(
        id=5,
        title="Dead letters",
        description="Records of the time range that could not be processed: none is lost, each stands below "
        "with its reason. Does not follow lanes and carriers.",
        box=Box(16, 0, 4, 4),
        query="dead_letters_count",
        thresholds=bad_from(100, 1),
    ),
    Stat(
        id=6,
        title="Age of the data",
        description="Time since the newest supplier, shipment or warehouse event arrived. When it grows, "
        "either nobody sends or the pipeline stands still, and every other figure here is as old as this.",
        box=Box(20, 0, 4, 4),
        query="data_age",
        unit="s",
        decimals=0,
        thresholds=bad_from(900, 120),
        empty="no events yet",
    ),
)

_SHAPES: Final = (
    BarGauge(
        id=7,
        title="Open exceptions by kind",
        description="Exceptions that are open at this moment and not acknowledged. With a lane or carrier "
        "chosen, exceptions of stock, which have none, are left out.",
        box=Box(0, 4, 8, 7),
        query="exceptions_by_kind",
        thresholds=bad_from(20, 1),
        links=(OPEN_SHIPMENTS,),
    ),
    BarGauge(
        id=8,
        title="Late by lane",
        description="Late shipments that nobody has acknowledged, the worst 20 lanes. A bar opens its lane.",
        box=Box(8, 4, 8, 7),
        query="late_by_lane",
        thresholds=bad_from(10, 1),
        empty="nothing is late",
        link=OPEN_LANE,
    ),
    TimeSeries(
        id=9,
        title="Events in, per minute",
        description="Events by the time the broker took them, repeats and corrections included. A stream "
        "that falls to nothing has lost its sender. Does not follow lanes and carriers.",
        box=Box(16, 4, 8, 7),
        query="events_per_minute",
        decimals=0,
        empty="no events in this time range",
        label="stream",
    ),
)

_ROWS: Final = (
    Table(
        id=10,
        title="Became late last",
        description="The 25 shipments that became late last. A shipment id opens its story, event by event.",
        box=Box(0, 11, 24, 8),
        query="late_latest",
        empty="nothing is late",
        columns=(
            Column("late_since", "Late since", width=170),
            Column("shipment_id", "Shipment", link=OPEN_SHIPMENT),
            Column("lane", "Lane", link=OPEN_LANE),
            Column("carrier", "Carrier"),
            Column("status", "Status"),
            Column("promised_at", "Promised", width=170),
            Column("estimated_at", "Estimated", width=170),
            Column("late_hours", "Late by", unit="h", decimals=1, thresholds=bad_from(72, 24)),
            Column("in_hand", "In hand", width=80),
        ),
    ),
    Table(
        id=11,
        title="Open exceptions",
        description="The 50 exceptions that opened last, acknowledged ones at the end. The exception id is "
        "what an acknowledgement names.",
        box=Box(0, 19, 14, 8),
        query="exceptions_latest",
        empty="no open exceptions",
        thresholds=NEUTRAL,
        columns=(
            Column("opened_at", "Open since", width=170),
            Column("kind", "Kind"),
            Column("shipment_id", "Shipment", link=OPEN_SHIPMENT),
            Column("lane", "Lane"),
            Column("carrier", "Carrier"),
            Column("site", "Site"),
            Column("item", "Item"),
            Column("detail", "What is wrong", width=260),
            Column("in_hand", "In hand of"),
            Column("until", "Until", width=170),
            Column("note", "Note"),
            Column("exception_id", "Exception id"),
        ),
    ),
    Table(
        id=12,
        title="Latest dead letters",
        description="The latest 50 of the time range: what could not be processed, why, and where it stands "
        "(topic, epoch/partition/offset). Mend it and send it again.",
        box=Box(14, 19, 10, 8),
        query="dead_letters_latest",
        empty="no dead letters in this time range",
        columns=(
            Column("arrived_at", "Arrived", width=170),
            Column("source", "Source"),
            Column("cause", "Cause"),
            Column("reason", "Reason", width=260),
            Column("field", "Field"),
            Column("coordinate", "Coordinate"),
            Column("start_of_value", "Value (start)"),
        ),
    ),
)

CONTROL_TOWER: Final = Dashboard(
    uid=CONTROL_TOWER_UID,
    file="control-tower",
    title="Control tower",
    description="Is anything wrong now? Late shipments, exceptions, what comes in, and how old the data is.",
    panels=(*_FIGURES, *_SHAPES, *_ROWS),
    variables=(LANE, CARRIER),
    since="now-24h",
    refresh="10s",
)
