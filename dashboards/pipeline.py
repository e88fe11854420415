"""The pipeline itself: does everything that was sent arrive, in time, and whole?

Lag is not in the store, so it is not here: `quayside status` tells it. Freshness shows the same from the other end.
"""

from typing import Final

from dashboards.board import Dashboard
from dashboards.names import DEAD_SHARE_PANEL, ENGINE_FOLDER_TITLE, FRESHNESS_PANEL, PIPELINE_UID
from dashboards.panels import BarGauge, Box, Column, Stat, Table, TimeSeries, bad_from
from dashboards.shared import OPEN_SOURCE, SOURCE, variables

_NOTHING_YET: Final = "no events yet: publish some"
_NO_ANSWER: Final = "no answer from the store"

_FIGURES: Final = (
    Stat(
        id=FRESHNESS_PANEL,
        title="Age of the data",
        description="Time since the newest supplier, shipment or warehouse event arrived.",
        box=Box(0, 0, 4, 3),
        query="data_age",
        unit="s",
        decimals=0,
        thresholds=bad_from(900, 120),
        empty=_NOTHING_YET,
    ),
    Stat(
        id=2,
        title="States behind events",
        description="How much older the newest derived state is than the newest event. It grows while the worker "
        "stands still. `quayside status` tells the lag in records.",
        box=Box(4, 0, 4, 3),
        query="state_lag",
        unit="s",
        decimals=0,
        thresholds=bad_from(900, 120),
        empty=_NOTHING_YET,
    ),
    Stat(
        id=3,
        title="Dead letters, 24 hours",
        description="Dead letters / all records that arrived in 24 hours, of sources that could be read off.",
        box=Box(8, 0, 4, 3),
        query="dead_share_24h",
        unit="percentunit",
        decimals=2,
        thresholds=bad_from(0.05, 0.01),
        empty="nothing arrived in 24 hours",
    ),
    Stat(
        id=4,
        title="Too late, not applied",
        description="Records of the time range that came after their period had closed. They are kept and in no figure "
        "until `quayside late apply`.",
        box=Box(12, 0, 4, 3),
        query="late_records_count",
        thresholds=((None, "green"), (1, "yellow")),
        empty=_NO_ANSWER,
    ),
    Stat(
        id=5,
        title="Silent sources",
        description="Sources that have been quiet for three times the longest gap that is usual for them.",
        box=Box(16, 0, 4, 3),
        query="sources_silent",
        thresholds=((None, "green"), (1, "yellow")),
        empty=_NO_ANSWER,
    ),
    Stat(
        id=6,
        title="Store on disk",
        description="What the active parts of all tables take. A ClickHouse server shows it to users that may read "
        "system.parts.",
        box=Box(20, 0, 4, 3),
        query="store_bytes",
        unit="bytes",
        decimals=1,
        empty="the user may not read system.parts: GRANT SELECT ON system.parts",
    ),
)

_FLOW: Final = (
    TimeSeries(
        id=8,
        title="Throughput by topic, per minute",
        description="Records by the time the broker took them, repeats and corrections included.",
        box=Box(0, 3, 12, 8),
        query="events_by_topic",
        decimals=1,
        empty="no records in this time range",
        label="topic",
    ),
    TimeSeries(
        id=DEAD_SHARE_PANEL,
        title="Dead letters by topic",
        description="Records that could not be processed. The alert fires when their share of a topic is too great.",
        box=Box(12, 3, 6, 8),
        query="dead_by_topic",
        decimals=0,
        empty="no dead letters in this time range",
        label="topic",
        stacked=True,
    ),
    BarGauge(
        id=9,
        title="Age by topic",
        description="Time since each topic's newest record: of states since one was last written, which is as it "
        "should be where nothing changes.",
        box=Box(18, 3, 6, 8),
        query="topic_ages",
        unit="s",
        decimals=0,
        empty="no topic has a record yet",
    ),
)

_LOST: Final = (
    Table(
        id=10,
        title="Dead letters by source and cause",
        description="Of the time range, the most frequent first, with the latest reason. None is lost: `quayside dlq` "
        "shows them, and sends them again once they are mended.",
        box=Box(0, 11, 14, 8),
        query="dead_by_source",
        empty="no dead letters in this time range",
        columns=(
            Column("source", "Source", link=OPEN_SOURCE),
            Column("cause", "Cause"),
            Column("dead", "Dead", width=70, thresholds=bad_from(100, 1)),
            Column("not_resent", "Not sent again", width=120),
            Column("last_at", "Last", width=170),
            Column("example_reason", "Latest reason"),
        ),
    ),
    Table(
        id=11,
        title="Too late, by source and reason",
        description="Records that came after their period had closed: kept, not applied. `quayside late` shows and "
        "applies them.",
        box=Box(14, 11, 10, 8),
        query="late_by_source",
        empty="nothing came too late in this time range",
        columns=(
            Column("source", "Source", link=OPEN_SOURCE),
            Column("topic", "Topic"),
            Column("reason", "Reason"),
            Column("late", "Late", width=70),
            Column("not_applied", "Not applied", width=105),
            Column("last_at", "Last", width=170),
        ),
    ),
)

_HEALTH: Final = (
    Table(
        id=12,
        title="Sources",
        description="When each source was last heard of and how long its gaps usually are; silent ones first.",
        box=Box(0, 19, 12, 9),
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
    Table(
        id=13,
        title="States",
        description="What the agents hold, by kind of state, of the epoch that is shown.",
        box=Box(12, 19, 6, 9),
        query="states_table",
        empty=_NO_ANSWER,
        columns=(
            Column("state", "State"),
            Column("keys_held", "Keys"),
            Column("newest_at", "Last written", width=170),
        ),
    ),
    Table(
        id=14,
        title="Epochs",
        description="Lives of the broker and rebuilds. The views show the newest whose rebuild has ended.",
        box=Box(18, 19, 6, 9),
        query="epochs_table",
        empty="no epoch has begun",
        columns=(
            Column("epoch", "Epoch", width=70),
            Column("started_at", "Began", width=170),
            Column("ended_at", "Shown since", width=170),
            Column("shown", "Now", width=70),
        ),
    ),
    Table(
        id=15,
        title="Tables of the store",
        description="What each takes on disk, compressed. Many parts that stay many: merges do not keep up.",
        box=Box(0, 28, 24, 8),
        query="store_parts",
        empty="the user may not read system.parts: GRANT SELECT ON system.parts",
        columns=(
            Column("table_name", "Table"),
            Column("rows_stored", "Rows"),
            Column("bytes", "On disk", unit="bytes", decimals=1),
            Column("bytes_per_row", "Per row", unit="bytes", decimals=1),
            Column("parts", "Parts", thresholds=((None, "text"), (300, "red"))),
        ),
    ),
)

PIPELINE: Final = Dashboard(
    uid=PIPELINE_UID,
    file="pipeline",
    title="Pipeline",
    description="Does everything that was sent arrive, in time, and whole? Freshness, throughput, what was refused, "
    "the store.",
    panels=(*_FIGURES, *_FLOW, *_LOST, *_HEALTH),
    variables=variables(SOURCE),
    since="now-6h",
    refresh="30s",
    folder=ENGINE_FOLDER_TITLE,
)
