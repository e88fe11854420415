"""Stock and warehouse: what is there, what will be missing, and do the sites keep up?"""

from typing import Final

from dashboards.board import Dashboard
from dashboards.names import NEGATIVE_PANEL, STOCK_UID, STOCKOUT_PANEL
from dashboards.panels import BarGauge, Box, Column, Stat, Table, TimeSeries, bad_from
from dashboards.shared import ITEM, OPEN_POSITION, OPEN_SITE, SITE, variables

_NO_CAPACITY: Final = "no capacity known: publish site_described with daily_capacity on reference.events"
_NO_ANSWER: Final = "no answer from the store"
_ATTENTION: Final = ((None, "green"), (1.0, "yellow"))

_FIGURES: Final = (
    Stat(
        id=1,
        title="Positions",
        description="Pairs of site and item that have stock, had some, or wait for some.",
        box=Box(0, 0, 4, 3),
        query="positions_count",
        empty=_NO_ANSWER,
    ),
    Stat(
        id=2,
        title="Negative",
        description="Positions whose books are below zero: more left than ever came in, by what was reported. Nothing "
        "is clamped: find the missing receipt, or count.",
        box=Box(4, 0, 4, 3),
        query="positions_negative",
        thresholds=bad_from(1),
        empty=_NO_ANSWER,
    ),
    Stat(
        id=3,
        title="Stocked out",
        description="Positions with nothing on hand that had some before.",
        box=Box(8, 0, 4, 3),
        query="positions_empty",
        thresholds=_ATTENTION,
        empty=_NO_ANSWER,
    ),
    Stat(
        id=4,
        title="Below reorder point",
        description="Positions where what is available and what is on its way together are less than the reorder point "
        "of the item (item_described on reference.events; items without one are never below it).",
        box=Box(12, 0, 4, 3),
        query="positions_low",
        thresholds=_ATTENTION,
        empty=_NO_ANSWER,
    ),
    Stat(
        id=5,
        title="With quarantined stock",
        description="Positions of which a part is quarantined and not available.",
        box=Box(16, 0, 4, 3),
        query="positions_quarantined",
        empty=_NO_ANSWER,
    ),
    Stat(
        id=6,
        title="Oldest receipt waiting",
        description="How long ago the oldest receipt came in that is not put away in full, of the last 28 days and of "
        "sites that report what they put away.",
        box=Box(20, 0, 4, 3),
        query="backlog_oldest",
        unit="s",
        decimals=0,
        thresholds=bad_from(172_800, 86_400),
        empty="nothing waits, or no site reports put_away",
    ),
)

_TROUBLE: Final = (
    Table(
        id=NEGATIVE_PANEL,
        title="Negative stock",
        description="Up to 200 positions with their books below zero, those that nobody has in hand first. A position "
        "opens the movements behind it.",
        box=Box(0, 3, 12, 7),
        query="stock_problems",
        empty="no position is negative",
        columns=(
            Column("opened_at", "Since", width=170),
            Column("site", "Site", link=OPEN_SITE),
            Column("item", "Item", link=OPEN_POSITION),
            Column("detail", "What is wrong", width=260),
            Column("in_hand", "In hand of"),
            Column("exception_id", "Exception id"),
        ),
    ),
    Table(
        id=STOCKOUT_PANEL,
        title="Stocked out, or too little",
        description="Up to 200 positions that are empty or below their reorder point, those that nobody has in hand "
        "first.",
        box=Box(12, 3, 12, 7),
        query="stock_lacking",
        empty="nothing is lacking",
        columns=(
            Column("opened_at", "Since", width=170),
            Column("kind", "Kind"),
            Column("site", "Site", link=OPEN_SITE),
            Column("item", "Item", link=OPEN_POSITION),
            Column("detail", "What is wrong", width=260),
            Column("in_hand", "In hand of"),
            Column("exception_id", "Exception id"),
        ),
    ),
)

_SITES: Final = (
    TimeSeries(
        id=13,
        title="Work at the sites, per hour",
        description="Warehouse events by kind and hour of the last 35 days at most, by the time they happened. Does "
        "not follow items. Where receipts rise and putting away does not, a backlog grows.",
        box=Box(0, 10, 12, 8),
        query="site_throughput",
        decimals=0,
        empty="no warehouse events in this time range",
        label="activity",
        least_interval="1h",
        stacked=True,
    ),
    TimeSeries(
        id=14,
        title="Load: what came in / capacity of a day",
        description="Quantity that came in by UTC day / daily capacity of the site, for sites whose capacity is known. "
        "The last day is not over yet. Does not follow items.",
        box=Box(12, 10, 6, 8),
        query="site_load",
        unit="percentunit",
        decimals=0,
        thresholds=bad_from(1, 0.85),
        empty=_NO_CAPACITY,
        label="site",
        least_interval="1d",
        points=True,
    ),
    BarGauge(
        id=15,
        title="Backlog, in days of work",
        description="Quantity received in the last 28 days and not put away / daily capacity. Sites whose capacity is "
        "known and that report put_away.",
        box=Box(18, 10, 6, 8),
        query="site_backlog_days",
        unit="d",
        decimals=2,
        thresholds=bad_from(1, 0.5),
        empty=_NO_CAPACITY,
        link=OPEN_SITE,
    ),
)

_BOOKS: Final = (
    Table(
        id=12,
        title="Cover",
        description="Up to 500 positions, negative ones first, then those below their reorder point, then those that "
        "last the shortest. Per day: what was shipped in the last 28 days. Lasts: on hand / that; empty where nothing "
        "was shipped.",
        box=Box(0, 18, 24, 10),
        query="stock_cover_table",
        empty="no stock known: publish warehouse events",
        columns=(
            Column("site", "Site", link=OPEN_SITE),
            Column("item", "Item", link=OPEN_POSITION),
            Column("unit", "Unit", width=70),
            Column("on_hand", "On hand", thresholds=((None, "red"), (0, "text"))),
            Column("reserved", "Reserved"),
            Column("quarantined", "Quarantined"),
            Column("available", "Available"),
            Column("in_transit", "On its way"),
            Column("shipped_per_day", "Per day", decimals=1),
            Column(
                "days_of_supply", "Lasts", unit="d", decimals=1, thresholds=((None, "red"), (3, "yellow"), (7, "green"))
            ),
            Column("reorder_point", "Reorder point"),
            Column("low", "Reorder", width=85),
            Column("last_movement_at", "Last movement", width=170),
        ),
    ),
    Table(
        id=16,
        title="Sites",
        description="Backlog and capacity by site. Where the capacity is empty nobody told it: publish site_described "
        "with daily_capacity. Quantities are added up whatever their units.",
        box=Box(0, 28, 9, 10),
        query="sites_table",
        empty="no site reports put_away: publish warehouse events of that type",
        columns=(
            Column("site", "Site", link=OPEN_SITE),
            Column("name", "Name"),
            Column("open_receipts", "Waiting", width=85),
            Column("backlog_quantity", "Quantity"),
            Column("oldest_since", "Oldest since", width=170),
            Column("capacity_per_day", "Capacity"),
        ),
    ),
    Table(
        id=17,
        title="Movements behind it",
        description="The latest 200 warehouse events of the chosen sites and items in the time range, corrected ones "
        "as they count now. A count sets what is on hand; the difference is count variance.",
        box=Box(9, 28, 15, 10),
        query="stock_movements",
        empty="no warehouse events of this choice in this time range",
        columns=(
            Column("occurred_at", "Occurred", width=170),
            Column("recorded_at", "Recorded", width=170),
            Column("site", "Site"),
            Column("item", "Item"),
            Column("type", "Type"),
            Column("direction", "Direction", width=85),
            Column("quantity", "Quantity"),
            Column("unit", "Unit", width=70),
            Column("lot_or_reason", "Lot, reason"),
            Column("source", "Source"),
            Column("event_id", "Event id"),
            Column("coordinate", "Coordinate", width=110),
        ),
    ),
)

STOCK: Final = Dashboard(
    uid=STOCK_UID,
    file="stock",
    title="Stock and warehouse",
    description="What is there, what will be missing, and do the sites keep up? Down to each movement.",
    panels=(*_FIGURES, *_TROUBLE, *_SITES, *_BOOKS),
    variables=variables(SITE, ITEM),
    since="now-7d",
    refresh="30s",
)
