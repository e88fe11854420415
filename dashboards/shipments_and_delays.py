"""Shipments and delays: where does it hurt, since when, and which shipments are they?"""

from typing import Final

from dashboards.board import Annotation, Dashboard
from dashboards.names import (
    AT_RISK_PANEL,
    LATE_BY_LANE_PANEL,
    LATE_TABLE_PANEL,
    NEWLY_LATE_PANEL,
    OVERDUE_PANEL,
    SHIPMENTS_UID,
)
from dashboards.panels import BarGauge, Box, Column, Stat, StateTimeline, Table, TimeSeries, bad_from, good_from
from dashboards.pictures import Geomap, NodeGraph
from dashboards.shared import (
    CARRIER,
    LANE,
    OPEN_CARRIER,
    OPEN_LANE,
    OPEN_SHIPMENT,
    OPEN_SUPPLIER_SHIPMENTS,
    SUPPLIER,
    variables,
)

_LATE_HOURS: Final = bad_from(72, 24)

_FIGURES: Final = (
    Stat(
        id=1,
        title="Late now",
        description="Open shipments that are past the last instant of their promise at this moment and that "
        "nobody has acknowledged. It does not depend on the time range.",
        box=Box(0, 0, 4, 3),
        query="late_now",
        thresholds=bad_from(1),
        empty="no answer from the store",
    ),
    Stat(
        id=2,
        title="Late, of the open ones",
        description="Late shipments, acknowledged or not, / open shipments, at this moment.",
        box=Box(4, 0, 4, 3),
        query="late_share_open",
        unit="percentunit",
        decimals=1,
        thresholds=bad_from(0.15, 0.05),
        empty="no shipment is open",
    ),
    Stat(
        id=3,
        title="Late the longest",
        description="How long the oldest of the late shipments is past its promise, acknowledged or not.",
        box=Box(8, 0, 4, 3),
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
        box=Box(12, 0, 4, 3),
        query="shipments_open",
        empty="no answer from the store",
    ),
    Stat(
        id=5,
        title="Overdue milestones",
        description="Planned milestones of open shipments that are past and were neither reported nor "
        "passed. Overdue is not late: the promise of delivery may still be kept.",
        box=Box(16, 0, 4, 3),
        query="milestones_overdue",
        thresholds=bad_from(50, 1),
        empty="no answer from the store",
    ),
    Stat(
        id=6,
        title="On time",
        description="Order lines delivered in full by their promise / delivered lines that had a promise, "
        "over the UTC days that the time range touches. Follows lanes and suppliers, not carriers.",
        box=Box(20, 0, 4, 3),
        query="on_time_share",
        unit="percentunit",
        decimals=1,
        thresholds=good_from(0.95, 0.85),
        empty="no deliveries of lines with a promise in this time range",
    ),
)

_WHERE: Final = (
    BarGauge(
        id=LATE_BY_LANE_PANEL,
        title="Late by lane",
        description="Late shipments that nobody has acknowledged, the worst 20 lanes: the figure that pages. "
        "A bar narrows this dashboard to its lane.",
        box=Box(0, 3, 6, 9),
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
        box=Box(6, 3, 6, 9),
        query="late_by_carrier",
        thresholds=bad_from(10, 1),
        empty="nothing is late",
        link=OPEN_CARRIER,
    ),
    BarGauge(
        id=20,
        title="Late by supplier",
        description="Late shipments that nobody has acknowledged by the suppliers whose orders they bring, the worst "
        "20. A shipment that brings something of two suppliers counts for both. A bar narrows this dashboard.",
        box=Box(12, 3, 6, 9),
        query="late_by_supplier",
        thresholds=bad_from(10, 1),
        empty="nothing is late, or no late shipment names its orders: publish orders or lines with an order_id",
        link=OPEN_SUPPLIER_SHIPMENTS,
    ),
    BarGauge(
        id=9,
        title="Age of the late ones",
        description="All late shipments by how long they are past their promise, acknowledged or not. Weight "
        "at the bottom means that nobody clears old cases.",
        box=Box(18, 3, 6, 9),
        query="late_ageing",
        thresholds=bad_from(10, 1),
        empty="no answer from the store",
    ),
)

_MAPS: Final = (
    NodeGraph(
        id=21,
        title="Lanes: where it hurts",
        description="The 40 worst lanes with open shipments. The figure in a place and on a lane is how many are late, "
        "acknowledged or not; the ring of a place is red for late, yellow for at risk, green for the rest. Follows "
        "lanes only.",
        box=Box(0, 12, 12, 12),
        query="network_nodes",
        edges="network_edges",
        arcs=(("arc__late", "red"), ("arc__at_risk", "yellow"), ("arc__fine", "green")),
        empty="no shipment is open",
    ),
    Geomap(
        id=22,
        title="Places: where it hurts",
        description="A marker per place that open shipments leave or go to, bigger and redder the more of them are "
        "late. The map is Grafana's own and asks nothing of the internet (docs/dashboards.md tells how to have tiles). "
        "Follows lanes only.",
        box=Box(12, 12, 12, 12),
        query="places_map",
        weight="late",
        thresholds=bad_from(5, 1),
        empty="no coordinates known: publish site_described with latitude and longitude on reference.events",
        columns=(
            Column("place", "Place"),
            Column("late", "Late"),
            Column("at_risk", "At risk"),
            Column("open_shipments", "Open"),
            Column("worst_lane", "Worst lane"),
        ),
    ),
)

_TREND: Final = (
    TimeSeries(
        id=10,
        title="Late share of delivered lines, by day",
        description="Order lines delivered after their promise / delivered lines that had one, by UTC day of "
        "delivery. Follows lanes and suppliers, not carriers. The marks are moments at which a shipment that is "
        "still under way became late.",
        box=Box(0, 24, 8, 9),
        query="late_share_daily",
        unit="percentunit",
        decimals=1,
        thresholds=bad_from(0.15, 0.05),
        empty="no deliveries of lines with a promise in this time range",
        least_interval="1d",
        top=1,
        points=True,
    ),
    BarGauge(
        id=NEWLY_LATE_PANEL,
        title="Became late in the last 15 minutes",
        description="By lane, not acknowledged: a burst on one lane is one cause (a port, a border, a carrier).",
        box=Box(8, 24, 5, 9),
        query="newly_late_by_lane",
        thresholds=bad_from(3, 1),
        empty="nothing became late in the last 15 minutes",
        link=OPEN_LANE,
    ),
    Table(
        id=11,
        title="Lanes with open shipments",
        description="Up to 100 lanes, the worst first; late counts acknowledged shipments too. Transit: the median and "
        "nine in ten of the last 90 days, beside what is promised. Follows lanes only.",
        box=Box(13, 24, 11, 9),
        query="lanes",
        empty="no shipment is open",
        columns=(
            Column("lane", "Lane", link=OPEN_LANE),
            Column("open_shipments", "Open", width=65),
            Column("late", "Late", width=65, thresholds=bad_from(10, 1)),
            Column("at_risk", "At risk", width=75, thresholds=((None, "text"), (1, "yellow"))),
            Column("late_share", "Late share", unit="percentunit", decimals=0, width=90),
            Column("p50_days", "Median", unit="d", decimals=1, width=85),
            Column("p90_days", "p90", unit="d", decimals=1, width=85),
            Column("promised_days", "Promised", unit="d", decimals=1, width=85),
        ),
    ),
)

_LATE: Final = (
    Table(
        id=LATE_TABLE_PANEL,
        title="Late shipments",
        description="Up to 500 late shipments, those that nobody has in hand first, then the longest late. A "
        "shipment id opens its story; the exception id is what an acknowledgement names.",
        box=Box(0, 33, 24, 10),
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
    Table(
        id=AT_RISK_PANEL,
        title="At risk",
        description="Up to 300 shipments that are in time as yet and expected after their promise, those that nobody "
        "has in hand first. Basis: their last estimate, or departure and the lane's p90 of transit.",
        box=Box(0, 43, 12, 9),
        query="at_risk_table",
        empty="nothing is at risk",
        columns=(
            Column("shipment_id", "Shipment", link=OPEN_SHIPMENT),
            Column("lane", "Lane", link=OPEN_LANE),
            Column("carrier", "Carrier"),
            Column("status", "Status"),
            Column("due_at", "Due", width=170),
            Column("expected_at", "Expected", width=170),
            Column("basis", "Basis", width=90),
            Column("hours_late_expected", "Late by then", unit="h", decimals=1, thresholds=_LATE_HOURS),
            Column("in_hand", "In hand", width=80),
            Column("exception_id", "Exception id"),
        ),
    ),
    Table(
        id=OVERDUE_PANEL,
        title="Overdue milestones",
        description="Up to 300 planned milestones of open shipments whose time is past and that were neither reported "
        "nor passed, the oldest first. Where many are of one carrier, it has stopped reporting.",
        box=Box(12, 43, 12, 9),
        query="overdue_table",
        empty="no planned milestone is overdue",
        columns=(
            Column("planned_at", "Planned", width=170),
            Column("shipment_id", "Shipment", link=OPEN_SHIPMENT),
            Column("lane", "Lane", link=OPEN_LANE),
            Column("carrier", "Carrier"),
            Column("leg", "Leg", width=60),
            Column("milestone", "Milestone"),
            Column("location", "Place"),
            Column("overdue_hours", "Overdue by", unit="h", decimals=1, thresholds=_LATE_HOURS),
        ),
    ),
    StateTimeline(
        id=13,
        title="Milestones of the latest late ones",
        description="From each reported milestone to the next, over the time range: of the 12 that became "
        "late last. Where a band does not end, the shipment stands.",
        box=Box(0, 52, 24, 9),
        query="state_timeline",
        empty="nothing is late",
        band="shipment_id",
    ),
)


SHIPMENTS_AND_DELAYS: Final = Dashboard(
    uid=SHIPMENTS_UID,
    file="shipments-and-delays",
    title="Shipments and delays",
    description="Where does it hurt, since when, and which shipments are they? By lane, carrier and supplier, on the "
    "map and down to each shipment.",
    panels=(*_FIGURES, *_WHERE, *_MAPS, *_TREND, *_LATE),
    variables=variables(LANE, CARRIER, SUPPLIER),
    annotations=(Annotation("Became late", "annotation_became_late", "orange"),),
    since="now-7d",
    refresh="30s",
)
