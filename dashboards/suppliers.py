"""Suppliers: who keeps promises, and whose data can be relied on?"""

from typing import Final

from dashboards.board import Dashboard
from dashboards.names import SILENCE_PANEL, SUPPLIERS_UID
from dashboards.panels import Box, Column, Stat, Table, Text, TimeSeries, bad_from, good_from
from dashboards.shared import (
    OPEN_SHIPMENT,
    OPEN_SOURCE,
    OPEN_SUPPLIER,
    OPEN_SUPPLIER_SHIPMENTS,
    SOURCE,
    SUPPLIER,
    variables,
)

_NO_ANSWER: Final = "no answer from the store"

_FIGURES: Final = (
    Stat(
        id=1,
        title="On time in full",
        description="Of the lines of the last 90 days that had a promise, the share that came in full and no later "
        "than promised. A line whose promise is broken counts against it at once, not when it comes.",
        box=Box(0, 0, 5, 4),
        query="supplier_otif_90d",
        unit="percentunit",
        decimals=1,
        thresholds=good_from(0.95, 0.85),
        empty="no line with a promise came or was due in 90 days",
    ),
    Stat(
        id=2,
        title="Lines judged",
        description="Order lines of the last 90 days that came, or whose promise was broken.",
        box=Box(5, 0, 5, 4),
        query="supplier_lines",
        empty=_NO_ANSWER,
    ),
    Stat(
        id=3,
        title="Open lines",
        description="Order lines that are neither delivered, cancelled nor closed.",
        box=Box(10, 0, 4, 4),
        query="supplier_open",
        empty=_NO_ANSWER,
        links=(OPEN_SUPPLIER_SHIPMENTS,),
    ),
    Stat(
        id=4,
        title="Late lines",
        description="Open order lines that are past their promise at this moment.",
        box=Box(14, 0, 5, 4),
        query="supplier_late",
        thresholds=bad_from(10, 1),
        empty=_NO_ANSWER,
    ),
    Stat(
        id=5,
        title="Not what was ordered",
        description="Lines of the last 90 days of which more or less came than was ordered.",
        box=Box(19, 0, 5, 4),
        query="supplier_mismatches",
        thresholds=((None, "green"), (1, "yellow")),
        empty=_NO_ANSWER,
    ),
)

_PROMISES: Final = (
    Text(
        id=6,
        title="What on time in full means here",
        description="The definition behind the figures of this dashboard.",
        box=Box(0, 4, 6, 9),
        content="There is no single definition; this is ours.\n\n- **Unit:** the order line.\n- **On time:** the last "
        "of it came no later than the promise (`promised_at`; a promise by day is kept until the end of that day).\n- "
        "**In full:** all that was ordered came.\n- **Judged** on the day it came; or on the day its promise was "
        "broken, if it has not come.\n- **Left out:** cancelled lines, and lines without a promise.",
    ),
    Table(
        id=7,
        title="Suppliers",
        description="The last 90 days, the worst first. A supplier narrows this dashboard.",
        box=Box(6, 4, 9, 9),
        query="suppliers_table",
        empty="no supplier known: publish orders that name theirs",
        columns=(
            Column("supplier", "Supplier", link=OPEN_SUPPLIER),
            Column("lines_90d", "Judged", width=80),
            Column(
                "otif_share_90d",
                "On time in full",
                unit="percentunit",
                decimals=1,
                width=120,
                thresholds=good_from(0.95, 0.85),
            ),
            Column("open_lines", "Open", width=75),
            Column("late_lines", "Late", width=75, thresholds=bad_from(10, 1)),
            Column("quantity_mismatches", "Not as ordered", width=120),
        ),
    ),
    TimeSeries(
        id=8,
        title="On time in full, by day",
        description="By the UTC day on which the lines came or their promise was broken; days without a promise are "
        "left out.",
        box=Box(15, 4, 9, 9),
        query="supplier_otif_daily",
        unit="percentunit",
        decimals=0,
        thresholds=good_from(0.95, 0.85),
        empty="no lines with a promise in this time range",
        label="supplier",
        least_interval="1d",
        top=1,
        points=True,
    ),
    TimeSeries(
        id=9,
        title="Promised and actual",
        description="Mean days from order to promise and from order to delivery, by day of delivery, and by how much "
        "the late ones were late. Actual above promised: promises cannot be relied on; far below: they are padded.",
        box=Box(0, 13, 12, 8),
        query="supplier_promised_actual",
        unit="d",
        decimals=1,
        empty="no lines with a date of order in this time range",
        label="kind",
        least_interval="1d",
        points=True,
    ),
    Table(
        id=10,
        title="Shipped and not come",
        description="Up to 200 open exceptions in which what was received or delivered is not what was shipped.",
        box=Box(12, 13, 12, 8),
        query="supplier_mismatch_table",
        empty="no open mismatch of quantities",
        columns=(
            Column("opened_at", "Since", width=170),
            Column("shipment_id", "Shipment", link=OPEN_SHIPMENT),
            Column("site", "Site"),
            Column("item", "Item"),
            Column("detail", "What is wrong", width=260),
            Column("in_hand", "In hand of"),
            Column("exception_id", "Exception id"),
        ),
    ),
)

_DATA: Final = (
    Table(
        id=11,
        title="Data quality by source, 24 hours",
        description="Events that arrived, and what was wrong with them: identifiers that do not check, dead letters, "
        "too late, said again (corrections, repeats), zone assumed, recorded in the future; and how long after it "
        "happened it was told (median, p95). Does not follow suppliers: a supplier may send through several systems.",
        box=Box(0, 21, 14, 10),
        query="source_quality",
        empty="no source has ever sent anything",
        columns=(
            Column("source", "Source", link=OPEN_SOURCE),
            Column("events_24h", "Events", width=80),
            Column("findings_24h", "Findings", width=85, thresholds=((None, "text"), (1, "yellow"))),
            Column("dead_24h", "Dead", width=70, thresholds=((None, "text"), (1, "red"))),
            Column("late_24h", "Too late", width=80, thresholds=((None, "text"), (1, "yellow"))),
            Column("corrections_24h", "Corrected", width=95),
            Column("repeats_24h", "Repeated", width=90),
            Column("zone_assumed_24h", "Zone assumed", width=115),
            Column("clock_ahead_24h", "Clock ahead", width=105, thresholds=((None, "text"), (1, "yellow"))),
            Column("reporting_delay_p50_s", "Told after", unit="s", decimals=0, width=95),
            Column("reporting_delay_p95_s", "p95", unit="s", decimals=0, width=80),
        ),
    ),
    Table(
        id=SILENCE_PANEL,
        title="Silence by source",
        description="Silent: quiet for three times its usual gap (what source_described says, else 95 in 100 of its "
        "own). A source without a usual gap is never silent: publish source_described with expected_cadence.",
        box=Box(14, 21, 10, 10),
        query="source_silence",
        empty="no source has ever sent anything",
        columns=(
            Column("source", "Source", link=OPEN_SOURCE),
            Column("last_arrived_at", "Last heard", width=170),
            Column("quiet_s", "Quiet for", unit="s", decimals=0, width=95),
            Column("usual_gap_s", "Usual gap", unit="s", decimals=0, width=95),
            Column("silent_since", "Silent since", width=170),
            Column("state", "State", width=80),
        ),
    ),
)

_SCORE: Final = good_from(90, 70)


def _lost(part: str, title: str, width: int) -> Column:
    """The points that a part of the score cost."""
    thresholds = ((None, "text"), (1, "yellow"), (10, "red"))
    return Column(f"lost_{part}", title, decimals=1, width=width, thresholds=thresholds)


_QUALITY: Final = (
    Table(
        id=13,
        title="Data quality: score by source",
        description="What each source said in 7 UTC days, today included, from 0 to 100, the worst first, and the "
        "points that each part cost: so a low score says what to mend. Nothing under a part: not known. No score: "
        "nothing came. Worked out every 5 minutes. Does not follow suppliers.",
        box=Box(0, 31, 24, 10),
        query="quality_by_source",
        empty="no source has ever sent anything",
        columns=(
            Column("source", "Source", link=OPEN_SOURCE),
            Column("score_7d", "Score", decimals=0, width=75, thresholds=_SCORE),
            Column("score_30d", "30 days", decimals=0, width=85, thresholds=_SCORE),
            Column("events_7d", "Events", width=85),
            _lost("rejects", "Rejected", 95),
            _lost("too_late", "Too late", 90),
            _lost("findings", "Findings", 95),
            _lost("told_late", "Told late", 95),
            _lost("missing", "Milestones missing", 150),
            _lost("clock_ahead", "Clock ahead", 110),
            _lost("zone_assumed", "Zone assumed", 120),
            _lost("restated", "Restated", 95),
            _lost("retractions", "Withdrawn", 100),
            _lost("repeats", "Repeated", 95),
            Column("delay_p95_s", "Told after, p95", unit="s", decimals=0, width=120),
        ),
    ),
    TimeSeries(
        id=14,
        title="Data quality: score by day",
        description="The same score of each UTC day of arrival, without missing milestones, which belong to no day. A "
        "fall on one day is a change at the source: ask what it changed.",
        box=Box(0, 41, 15, 9),
        query="quality_daily",
        unit="none",
        decimals=0,
        thresholds=_SCORE,
        empty="nothing came in this time range, or it is not worked out yet (every 5 minutes)",
        label="source",
        least_interval="1d",
        top=100,
        points=True,
    ),
    Text(
        id=15,
        title="How the score comes about",
        description="The weights behind the score.",
        box=Box(15, 41, 9, 9),
        content="100 less what the parts cost; never under 0.\n\n| part | share of | costs at most | reached at |\n"
        "| --- | --- | --- | --- |\n"
        "| rejected | all that came | 100 | 20 % |\n"
        "| too late to be applied | events | 50 | 20 % |\n"
        "| findings (check digits) | events | 15 | 10 % |\n"
        "| told more than 24 h later | what happened | 15 | 50 % |\n"
        "| milestones nobody reported | milestones reached | 15 | 30 % |\n"
        "| clock over 5 min ahead | events | 10 | 10 % |\n"
        "| zone assumed | events | 4 | 50 % |\n"
        "| restated | events told of | 3 | 25 % |\n"
        "| withdrawn | events told of | 2 | 25 % |\n"
        "| repeated | events | 1 | 50 % |",
    ),
)

SUPPLIERS: Final = Dashboard(
    uid=SUPPLIERS_UID,
    file="suppliers",
    title="Suppliers",
    description="Who keeps promises, what was not as ordered, and whose data can be relied on?",
    panels=(*_FIGURES, *_PROMISES, *_DATA, *_QUALITY),
    variables=variables(SUPPLIER, SOURCE),
    since="now-30d",
    refresh="1m",
)
