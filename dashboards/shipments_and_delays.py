"""Shipments and delays: where does it hurt, since when, and which shipments are they?"""

from typing import Final

from dashboards.board import Annotation, Dashboard, TextBox
from dashboards.names import LATE_BY_LANE_PANEL, SHIPMENTS_UID
from dashboards.panels import (
    BarGauge,
    Box,
    Column,
    Stat,
    StateTimeline,
    Table,
    Text,
    TimeSeries,
    bad_from,
    good_from,
)
from dashboards.shared import CARRIER, LANE, OPEN_CARRIER, OPEN_LANE, OPEN_SHIPMENT

_LATE_HOURS: Final = bad_from(72, 24)

_FIGURES: Final = (
    Stat(
        id=1,
        title="Late now",
        description="Open shipments that are past the last instant of their promise at this moment and that "
        "nobody has acknowledged. It does not depend on the time range.",
        box=Box(0, 0, 4, 4),
        query="late_now",
        thresholds=bad_from(1),
    ),
    Stat(
        id=2,
        title="Late, of the open ones",
        description="Late shipments, acknowledged or not, / open shipments, at this moment.",
        box=Box(4, 0, 4, 4),
        query="late_share_open",
        unit="percentunit",
        decimals=1,
        thresholds=bad_from(0.15, 0.05),
        empty="none is open",
    ),
    Stat(
        id=3,
        title="Late the longest",
        description="How long the oldest of the late shipments is past its promise, acknowledged or not.",
        box=Box(8, 0, 4, 4),
        query="late_oldest",
        unit="h",
        decimals=1,
        thresholds=_LATE_HOURS,
        empty="nothing is late",
    ),
    Stat(
        id=4,
        title="Open shipments",
        description="Shipments that are neither delivered, returned nor cancelled, at this moment.",
        box=Box(12, 0, 4, 4),
        query="shipments_open",
    ),
    Stat(
        id=5,
        title="Overdue milestones",
        description="Planned milestones of open shipments that are past and were neither reported nor "
        "passed. Overdue is not late: the promise of delivery may still be kept.",
        box=Box(16, 0, 4, 4),
        query="milestones_overdue",
        thresholds=bad_from(50, 1),
    ),
    Stat(
        id=6,
        title="On time",
        description="Order lines delivered in full by their promise / delivered lines that had a promise, "
        "over the UTC days that the time range touches. Follows the lanes, not the carriers.",
        box=Box(20, 0, 4, 4),
        query="on_time_share",
        unit="percentunit",
        decimals=1,
        thresholds=good_from(0.95, 0.85),
        empty="no deliveries",
    ),
)

_WHERE: Final = (
    BarGauge(
        id=LATE_BY_LANE_PANEL,
        title="Late by lane",
        description="Late shipments that nobody has acknowledged, the worst 20 lanes: the figure that pages. "
        "A bar narrows this dashboard to its lane.",
        box=Box(0, 4, 8, 8),
        query="late_by_lane",
        thresholds=bad_from(10, 1),
        empty="nothing is late",
        link=OPEN_LANE,
    ),
    BarGauge(
        id=8,
        title="Late by carrier",
        description="Late shipments that nobody has acknowledged, the worst 20 carriers. A bar narrows this "
        "dashboard to its carrier.",
        box=Box(8, 4, 8, 8),
        query="late_by_carrier",
        thresholds=bad_from(10, 1),
        empty="nothing is late",
        link=OPEN_CARRIER,
    ),
    BarGauge(
        id=9,
        title="Age of the late ones",
        description="All late shipments by how long they are past their promise, acknowledged or not. Weight "
        "at the bottom means that nobody clears old cases.",
        box=Box(16, 4, 8, 8),
        query="late_ageing",
        thresholds=bad_from(10, 1),
    ),
)

_TREND: Final = (
    TimeSeries(
        id=10,
        title="Late share of delivered lines, by day",
        description="Order lines delivered after their promise / delivered lines that had one, by UTC day of "
        "delivery. Follows the lanes, not the carriers. The marks are moments at which a shipment that is "
        "still under way became late.",
        box=Box(0, 12, 12, 8),
        query="late_share_daily",
        unit="percentunit",
        decimals=1,
        thresholds=bad_from(0.15, 0.05),
        empty="no deliveries in this time range",
        least_interval="1d",
        top=1,
        points=True,
    ),
    Table(
        id=11,
        title="Lanes with open shipments",
        description="Up to 100 lanes, the worst first. Late counts acknowledged shipments too.",
        box=Box(12, 12, 12, 8),
        query="lanes",
        empty="no open shipments",
        columns=(
            Column("lane", "Lane", link=OPEN_LANE),
            Column("open_shipments", "Open", width=80),
            Column("late", "Late", width=80, thresholds=bad_from(10, 1)),
            Column("late_share", "Late share", unit="percentunit", decimals=1),
            Column("oldest_hours", "Oldest late by", unit="h", decimals=1, thresholds=_LATE_HOURS),
        ),
    ),
)

_LATE: Final = (
    Table(
        id=12,
        title="Late shipments",
        description="Up to 500 late shipments, those that nobody has in hand first, then the longest late. A "
        "shipment id opens its story below; the exception id is what an acknowledgement names.",
        box=Box(0, 20, 24, 10),
        query="late_shipments_table",
        empty="nothing is late",
        columns=(
            Column("shipment_id", "Shipment", link=OPEN_SHIPMENT),
            Column("lane", "Lane", link=OPEN_LANE),
            Column("carrier", "Carrier"),
            Column("mode", "Mode", width=80),
            Column("status", "Status"),
            Column("leg", "Leg", width=60),
            Column("promised_at", "Promised", width=170),
            Column("estimated_at", "Estimated", width=170),
            Column("late_hours", "Late by", unit="h", decimals=1, thresholds=_LATE_HOURS),
            Column("lines", "Lines", width=70),
            Column("late_lines", "Late lines", width=90),
            Column("orders", "Orders"),
            Column("in_hand", "In hand", width=80),
            Column("exception_id", "Exception id"),
        ),
    ),
    StateTimeline(
        id=13,
        title="Milestones over time",
        description="From each reported milestone to the next, over the time range: of the chosen shipment, "
        "else of the 12 that became late last. Where a band does not end, the shipment stands.",
        box=Box(0, 30, 24, 8),
        query="state_timeline",
        empty="no shipment is chosen and none is late",
        band="shipment_id",
    ),
)

_ONE: Final = (
    Text(
        id=14,
        title="One shipment",
        description="How to choose the shipment whose story stands below.",
        box=Box(0, 38, 24, 3),
        content="Type a shipment id at the top, or follow one from a table: its milestones and **every event "
        "behind them**, with source, id and both times, stand here. *Occurred* is when it happened, "
        "*recorded* when it was said; a later statement with the same event id replaces an earlier one.",
    ),
    Table(
        id=15,
        title="Milestones of the chosen shipment",
        description="Planned, estimated and actual times by leg. Inferred: nobody reported it, a later one "
        "was reached. Overdue: its planned time is past.",
        box=Box(0, 41, 24, 7),
        query="shipment_milestones",
        empty="choose a shipment",
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
        id=16,
        title="Events behind it",
        description="Up to 500 events as they came, repeats, corrections and withdrawals included, the "
        "newest statement first. The coordinate is epoch/partition/offset in shipment.events.",
        box=Box(0, 48, 24, 10),
        query="shipment_events",
        empty="choose a shipment",
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
)

SHIPMENTS_AND_DELAYS: Final = Dashboard(
    uid=SHIPMENTS_UID,
    file="shipments-and-delays",
    title="Shipments and delays",
    description="Where does it hurt, since when, and which shipments are they? By lane and carrier, down to "
    "every event of one shipment.",
    panels=(*_FIGURES, *_WHERE, *_TREND, *_LATE, *_ONE),
    variables=(
        LANE,
        CARRIER,
        TextBox("shipment_id", "Shipment", "The shipment whose story stands at the end of the dashboard."),
    ),
    annotations=(Annotation("Became late", "annotation_became_late", "orange"),),
    since="now-7d",
    refresh="30s",
)
