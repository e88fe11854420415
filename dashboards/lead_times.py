"""Lead times: how long does it take, how much does that spread, and has it changed?"""

from typing import Final

from dashboards.board import Choice, Dashboard, Pick
from dashboards.names import CONTROL_CHART_PANEL, LEAD_TIMES_UID
from dashboards.panels import BarGauge, Box, Column, Stat, Table, TimeSeries, bad_from
from dashboards.pictures import Heatmap
from dashboards.shared import OPEN_ROUTE, variables

MEASURE: Final = Pick(
    "measure",
    "Measure",
    "From what to what.",
    (
        ("order_to_delivery", "Order to delivery (supplier and item)"),
        ("transit", "Transit (lane)"),
        ("carrier_transit", "Transit (carrier and lane)"),
        ("leg_transit", "Transit of a leg"),
        ("dock_to_stock", "Dock to stock (site)"),
    ),
)
ROUTE: Final = Choice("route", "Route", "What the measure is taken of.", "variable_route")

_NONE: Final = "no observations of this measure in its last 90 days"

_FIGURES: Final = (
    Stat(
        id=1,
        title="Observations",
        description="Of the chosen routes in their last 90 days: finished, with a beginning and an end that are known.",
        box=Box(0, 0, 4, 3),
        query="lead_count",
        empty=_NONE,
    ),
    Stat(
        id=2,
        title="Median, all routes",
        description="Half took no longer: of all routes of the measure together, 90 days, within 1 %. Does not follow "
        "routes, since quantiles do not add up.",
        box=Box(4, 0, 4, 3),
        query="lead_p50",
        unit="d",
        decimals=2,
        empty=_NONE,
    ),
    Stat(
        id=3,
        title="p90, all routes",
        description="Nine in ten took no longer: of all routes of the measure together, 90 days, within 1 %.",
        box=Box(8, 0, 4, 3),
        query="lead_p90",
        unit="d",
        decimals=2,
        empty=_NONE,
    ),
    Stat(
        id=4,
        title="p95, all routes",
        description="95 in 100 took no longer: of all routes of the measure together, 90 days, within 1 %.",
        box=Box(12, 0, 4, 3),
        query="lead_p95",
        unit="d",
        decimals=2,
        empty=_NONE,
    ),
    Stat(
        id=5,
        title="Routes that shifted",
        description="Routes of the measure whose latest day breaks a rule of its control chart, not acknowledged. "
        "Worked out every ten minutes.",
        box=Box(16, 0, 4, 3),
        query="lead_shifts",
        thresholds=((None, "green"), (1, "yellow")),
        empty="no answer from the store",
    ),
    Stat(
        id=6,
        title="Below zero",
        description="Observations that end before they begin, ever: a wrong time was reported. They are in no "
        "statistic; find and correct the event.",
        box=Box(20, 0, 4, 3),
        query="lead_negative",
        thresholds=bad_from(1),
        empty=_NONE,
    ),
)

_SPREAD: Final = (
    BarGauge(
        id=7,
        title="How long it takes",
        description="Observations of the chosen routes in their last 90 days by how long they took, from the log "
        "buckets in which the statistics are kept (1 % wide).",
        box=Box(0, 3, 8, 9),
        query="lead_distribution",
        decimals=0,
        empty=_NONE,
    ),
    TimeSeries(
        id=8,
        title="Median and p90 by day",
        description="By day of finishing, for the six chosen routes with the most observations. Legs have no daily "
        "figures.",
        box=Box(8, 3, 16, 9),
        query="lead_daily",
        unit="d",
        decimals=2,
        empty="nothing was finished on these routes in this time range (legs have no daily figures)",
        label="series",
        least_interval="1d",
        points=True,
    ),
)

_DRIFT: Final = (
    TimeSeries(
        id=CONTROL_CHART_PANEL,
        title="Control chart of one route",
        description="The chosen route that breaks the rules most: the day's mean on a logarithmic scale, with the "
        "limits of an XmR chart (centre +/- 2.66 mean moving ranges; Wheeler and Chambers 1992) over its 90 days. "
        "Choose a route to see its own. Routes with fewer than 10 days have none.",
        box=Box(0, 12, 12, 9),
        query="lead_control",
        unit="d",
        decimals=2,
        empty="no route of this choice has observations on 10 days: choose another, or wait",
        least_interval="1d",
        points=True,
        columns=(
            Column("value_days", "Mean of the day"),
            Column("centre_days", "Centre"),
            Column("lower_days", "Lower limit"),
            Column("upper_days", "Upper limit"),
        ),
    ),
    Heatmap(
        id=10,
        title="Order to delivery, line by line",
        description="Each order line delivered in the time range, by day of delivery and how long it took from its "
        "order: the darker, the more lines. At most 20,000 lines. Follows suppliers, not the measure.",
        box=Box(12, 12, 12, 9),
        query="lead_lines",
        unit="d",
        decimals=1,
        empty="no order line with a date of order was delivered in this time range",
    ),
)

_ROUTES: Final = (
    Table(
        id=11,
        title="Routes",
        description="Up to 200 routes, the most observed first: their last 90 days. Drift: the median of the 90 days "
        "beside that of all time. The spread is the standard deviation.",
        box=Box(0, 21, 14, 10),
        query="lead_routes",
        empty=_NONE,
        columns=(
            Column("measure", "Measure", width=140),
            Column("route", "Route", link=OPEN_ROUTE),
            Column("n", "n", width=65),
            Column("p50_days", "Median", unit="d", decimals=2, width=90),
            Column("p90_days", "p90", unit="d", decimals=2, width=90),
            Column("p95_days", "p95", unit="d", decimals=2, width=90),
            Column("mean_days", "Mean", unit="d", decimals=2, width=90),
            Column("stddev_days", "Spread", unit="d", decimals=2, width=90),
            Column("p50_ever", "Median ever", unit="d", decimals=2, width=100),
            Column(
                "drift", "Drift", unit="percentunit", decimals=0, width=75, thresholds=((None, "text"), (0.2, "red"))
            ),
            Column("last_day", "Last day", width=110),
        ),
    ),
    Table(
        id=12,
        title="Days that broke a rule",
        description="Up to 200 days of the time range, the latest first. beyond_limit: outside of the limits (Nelson's "
        "rule 1); run_of_nine: nine days in a row on one side of the centre (rule 2).",
        box=Box(14, 21, 10, 10),
        query="lead_rules",
        empty="no day broke a rule in this time range",
        columns=(
            Column("day_at", "Day", width=110, unit="dateTimeAsIso"),
            Column("measure", "Measure", width=140),
            Column("route", "Route", link=OPEN_ROUTE),
            Column("value_days", "Mean", unit="d", decimals=2, width=85),
            Column("centre_days", "Centre", unit="d", decimals=2, width=85),
            Column("lower_days", "Lower", unit="d", decimals=2, width=85),
            Column("upper_days", "Upper", unit="d", decimals=2, width=85),
            Column("broken_rule", "Rule"),
        ),
    ),
)

LEAD_TIMES: Final = Dashboard(
    uid=LEAD_TIMES_UID,
    file="lead-times",
    title="Lead times",
    description="How long does it take, how much does that spread, and has it changed? By route, with control limits.",
    panels=(*_FIGURES, *_SPREAD, *_DRIFT, *_ROUTES),
    variables=(MEASURE, ROUTE, *variables()),
    since="now-90d",
    refresh="1m",
)
