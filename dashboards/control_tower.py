"""Control tower: is anything wrong now?"""

from typing import Final

from dashboards.board import Dashboard
from dashboards.names import CONTROL_TOWER_UID
from dashboards.panels import BarGauge, Box, Column, Stat, Table, TimeSeries, bad_from, good_from
from dashboards.shared import (
    CARRIER,
    LANE,
    OPEN_LANE,
    OPEN_PIPELINE,
    OPEN_POSITION,
    OPEN_SHIPMENT,
    OPEN_SHIPMENTS,
    OPEN_STOCK,
    OPEN_SUPPLIERS,
    SUPPLIER,
    variables,
)

_WRONG: Final = (
    Stat(
        id=1,
        title="Late now",
        description="Open shipments that are past the last instant of their promise at this moment and that "
        "nobody has acknowledged. It does not depend on the time range. The page goes by this, per lane.",
        box=Box(0, 0, 4, 3),
        query="late_now",
        thresholds=bad_from(1),
        empty="no answer from the store",
        links=(OPEN_SHIPMENTS,),
    ),
    Stat(
        id=13,
        title="At risk",
        description="Open shipments that are not late yet and are expected after their promise: by their last "
        "estimate, or by their departure and what the lane takes (p90). Acknowledged ones are left out.",
        box=Box(4, 0, 4, 3),
        query="at_risk_now",
        thresholds=((None, "green"), (1, "yellow")),
        empty="no answer from the store",
        links=(OPEN_SHIPMENTS,),
    ),
    Stat(
        id=14,
        title="Overdue",
        description="Open shipments with a planned milestone whose time is past and that was neither reported nor "
        "passed. Overdue is not late: the promise of delivery may still be kept. Acknowledged ones are left out.",
        box=Box(8, 0, 4, 3),
        query="overdue_shipments",
        thresholds=((None, "green"), (1, "yellow")),
        empty="no answer from the store",
        links=(OPEN_SHIPMENTS,),
    ),
    Stat(
        id=15,
        title="Stock to look at",
        description="Positions with negative stock, a stockout, or less than their reorder point, acknowledged ones "
        "left out. Does not follow lanes and carriers.",
        box=Box(12, 0, 4, 3),
        query="stock_exceptions",
        thresholds=((None, "green"), (1, "yellow")),
        empty="no answer from the store",
        links=(OPEN_STOCK,),
    ),
    Stat(
        id=2,
        title="In hand",
        description="Open exceptions of all kinds that somebody has acknowledged until a time that is not yet over. "
        "They count in no other figure of this row, and do not page. Does not follow lanes and carriers.",
        box=Box(16, 0, 4, 3),
        query="exceptions_in_hand",
        empty="no answer from the store",
        links=(OPEN_SHIPMENTS,),
    ),
    Stat(
        id=6,
        title="Age of the data",
        description="Time since the newest supplier, shipment or warehouse event arrived. When it grows, "
        "either nobody sends or the pipeline stands still, and every other figure here is as old as this.",
        box=Box(20, 0, 4, 3),
        query="data_age",
        unit="s",
        decimals=0,
        thresholds=bad_from(900, 120),
        empty="no events yet: publish some",
        links=(OPEN_PIPELINE,),
    ),
)

_HOW_IT_GOES: Final = (
    Stat(
        id=3,
        title="Open shipments",
        description="Shipments that are neither delivered, returned nor cancelled, at this moment.",
        box=Box(0, 3, 4, 3),
        query="shipments_open",
        empty="no answer from the store",
        links=(OPEN_SHIPMENTS,),
    ),
    Stat(
        id=4,
        title="On time in full",
        description="Order lines that came in full and no later than their promise / lines that had a promise and "
        "came, or whose promise was broken, over the UTC days that the time range touches. Follows the suppliers, "
        "not lanes.",
        box=Box(4, 3, 4, 3),
        query="otif_share",
        unit="percentunit",
        decimals=1,
        thresholds=good_from(0.95, 0.85),
        empty="no lines with a promise came in this time range",
        links=(OPEN_SUPPLIERS,),
    ),
    Stat(
        id=19,
        title="Delivered on time",
        description="Order lines delivered in full by their promise / delivered lines that had a promise, "
        "over the UTC days that the time range touches. Lines without a promise are left out. "
        "Follows lanes and suppliers, not carriers.",
        box=Box(8, 3, 4, 3),
        query="on_time_share",
        unit="percentunit",
        decimals=1,
        thresholds=good_from(0.95, 0.85),
        empty="no deliveries of lines with a promise in this time range",
        links=(OPEN_SHIPMENTS,),
    ),
    Stat(
        id=5,
        title="Dead letters",
        description="Records of the time range that could not be processed: none is lost, each stands below "
        "with its reason. Does not follow lanes and carriers.",
        box=Box(12, 3, 4, 3),
        query="dead_letters_count",
        thresholds=bad_from(100, 1),
        empty="no answer from the store",
        links=(OPEN_PIPELINE,),
    ),
    Stat(
        id=16,
        title="Silent sources",
        description="Sources that have been quiet for three times the longest gap that is usual for them: what only "
        "they can tell is missing everywhere. Does not follow lanes and carriers.",
        box=Box(16, 3, 4, 3),
        query="sources_silent",
        thresholds=((None, "green"), (1, "yellow")),
        empty="no answer from the store",
        links=(OPEN_SUPPLIERS,),
    ),
    Stat(
        id=17,
        title="States behind events",
        description="How much older the newest derived state is than the newest event. It grows while the worker "
        "stands still or has work to catch up on; lateness is right even then, since it is computed from promise and "
        "clock.",
        box=Box(20, 3, 4, 3),
        query="state_lag",
        unit="s",
        decimals=0,
        thresholds=bad_from(900, 120),
        empty="no events yet: publish some",
        links=(OPEN_PIPELINE,),
    ),
)

_SHAPES: Final = (
    BarGauge(
        id=7,
        title="Open exceptions by kind",
        description="Exceptions that are open at this moment and not acknowledged. With a lane, carrier or supplier "
        "chosen, exceptions that have none (of stock, sources, routes) are left out.",
        box=Box(0, 6, 8, 8),
        query="exceptions_by_kind",
        thresholds=bad_from(20, 1),
        empty="no answer from the store",
        links=(OPEN_SHIPMENTS,),
    ),
    TimeSeries(
        id=18,
        title="Flow: departed and delivered",
        description="Shipments that departed and that were delivered, by the time it happened. Where deliveries stay "
        "below departures, more and more is under way; where both fall, nothing moves or nobody reports.",
        box=Box(8, 6, 8, 8),
        query="flow",
        decimals=0,
        empty="no departures or deliveries in this time range",
        label="direction",
        least_interval="5m",
    ),
    TimeSeries(
        id=9,
        title="Events in, per minute",
        description="Events by the time the broker took them, repeats and corrections included. A stream "
        "that falls to nothing has lost its sender. Does not follow lanes and carriers.",
        box=Box(16, 6, 8, 8),
        query="events_per_minute",
        decimals=0,
        empty="no events in this time range",
        label="stream",
    ),
)

_ROWS: Final = (
    BarGauge(
        id=8,
        title="Late by lane",
        description="Late shipments that nobody has acknowledged, the worst 20 lanes. A bar opens its lane.",
        box=Box(0, 14, 8, 8),
        query="late_by_lane",
        thresholds=bad_from(10, 1),
        empty="nothing is late",
        link=OPEN_LANE,
    ),
    Table(
        id=10,
        title="Became late last",
        description="The 25 shipments that became late last. A shipment id opens its story, event by event.",
        box=Box(8, 14, 16, 8),
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
        description="The 50 exceptions that opened last, acknowledged ones apart at the end. The exception id is "
        "what `quayside ack` names.",
        box=Box(0, 22, 14, 9),
        query="exceptions_latest",
        empty="no open exceptions",
        columns=(
            Column("opened_at", "Open since", width=170),
            Column("kind", "Kind"),
            Column("shipment_id", "Shipment", link=OPEN_SHIPMENT),
            Column("lane", "Lane"),
            Column("carrier", "Carrier"),
            Column("site", "Site"),
            Column("item", "Item", link=OPEN_POSITION),
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
        "(topic, epoch/partition/offset). Mend it and send it again with `quayside dlq`.",
        box=Box(14, 22, 10, 9),
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
    description="Is anything wrong now? What is late, at risk or overdue, what somebody has in hand, what flows in and "
    "out, and how old the data is.",
    panels=(*_WRONG, *_HOW_IT_GOES, *_SHAPES, *_ROWS),
    variables=variables(LANE, CARRIER, SUPPLIER),
    since="now-24h",
    refresh="10s",
)
