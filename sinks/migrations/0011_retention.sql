-- Retention: what its runs dropped (docs/retention.md). Without it nothing is ever written here.

-- One row per run after FINAL; `step` grows with its stage. dropped: rows by table.
CREATE TABLE IF NOT EXISTS retention_runs
(
    run UInt64,
    cutoff DateTime64(3, 'UTC'),
    stage LowCardinality(String),
    step UInt8,
    started_at DateTime64(3, 'UTC'),
    ended_at Nullable(DateTime64(3, 'UTC')),
    positions UInt64,
    openings UInt64,
    left_alone UInt64,
    dropped Map(LowCardinality(String), UInt64),
    reason String
)
ENGINE = ReplacingMergeTree(step)
ORDER BY run;

-- While a run is under way: the movements that become openings, one row per identity. counts: it is in the figures.
-- kind: its place in the order in which movements of one instant are taken, from 0.
CREATE TABLE IF NOT EXISTS retention_movements
(
    run UInt64,
    site String,
    item String,
    occurred_at DateTime64(3, 'UTC'),
    kind UInt8,
    source String,
    event_id String,
    quantity Int64,
    unit String,
    shipment_id String,
    lot String,
    counts UInt8
)
ENGINE = MergeTree
ORDER BY (run, site, item, occurred_at, kind, source, event_id);

-- While a run is under way: the rows that go, and in which phase.
CREATE TABLE IF NOT EXISTS retention_dropping
(
    run UInt64,
    of_table LowCardinality(String),
    phase UInt8,
    topic LowCardinality(String),
    epoch UInt64,
    partition UInt32,
    offset UInt64
)
ENGINE = MergeTree
ORDER BY (run, of_table, phase, topic, epoch, partition, offset);

-- The coordinates of all that was ever dropped, so that what is missing can be told from what was dropped.
CREATE TABLE IF NOT EXISTS retention_dropped
(
    epoch UInt64,
    topic LowCardinality(String),
    partition UInt32,
    offsets AggregateFunction(groupBitmap, UInt64)
)
ENGINE = AggregatingMergeTree
ORDER BY (epoch, topic, partition);

-- The same, one row per coordinate.
CREATE OR REPLACE VIEW dropped_coordinates AS
SELECT epoch, toString(topic) AS topic, partition, arrayJoin(bitmapToArray(found)) AS offset
FROM
(
    SELECT epoch, topic, partition, groupBitmapMergeState(offsets) AS found
    FROM retention_dropped
    GROUP BY epoch, topic, partition
);
