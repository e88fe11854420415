-- What the agents publish: one table per compacted topic, whole state per key, the greatest version counts.
-- One partition per epoch, so that the epoch shown prunes all others and an old one is dropped at once.
-- The epoch leads the sort key too: FINAL merges across partitions, and a newer epoch that is still being
-- rebuilt would hide the one shown. `version` is the changelog offset. Quantities are thousandths; views turn them into decimals.

CREATE TABLE IF NOT EXISTS order_status
(
    epoch UInt64,
    version UInt64,
    order_id String,
    status LowCardinality(String),
    supplier String,
    buyer String,
    destination String,
    ordered_at Nullable(DateTime64(3, 'UTC')),
    final UInt8,
    lines Nested
    (
        line_id String,
        status LowCardinality(String),
        item String,
        unit LowCardinality(String),
        ordered Int64,
        shipped Int64,
        delivered Int64,
        ordered_at Nullable(DateTime64(3, 'UTC')),
        requested_at Nullable(DateTime64(3, 'UTC')),
        promised_at Nullable(DateTime64(3, 'UTC')),
        due_at Nullable(DateTime64(3, 'UTC')),
        delivered_at Nullable(DateTime64(3, 'UTC')),
        late UInt8,
        late_ms Int64,
        unit_cost_micros Nullable(Int64),
        currency LowCardinality(String),
        shipments Array(String),
        findings Array(String)
    ),
    gone UInt8,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version, gone)
PARTITION BY epoch
ORDER BY (epoch, order_id);

CREATE TABLE IF NOT EXISTS shipment_status
(
    epoch UInt64,
    version UInt64,
    shipment_id String,
    status LowCardinality(String),
    leg Int64,
    final UInt8,
    carrier String,
    mode LowCardinality(String),
    origin String,
    destination String,
    lane String,
    promised_at Nullable(DateTime64(3, 'UTC')),
    due_at Nullable(DateTime64(3, 'UTC')),
    estimated_at Nullable(DateTime64(3, 'UTC')),
    departed_at Nullable(DateTime64(3, 'UTC')),
    delivered_at Nullable(DateTime64(3, 'UTC')),
    late UInt8,
    late_ms Int64,
    latitude_micros Nullable(Int64),
    longitude_micros Nullable(Int64),
    seen_at Nullable(DateTime64(3, 'UTC')),
    orders Array(String),
    findings Array(String),
    milestones Nested
    (
        leg Int64,
        milestone LowCardinality(String),
        planned_at Nullable(DateTime64(3, 'UTC')),
        planned_due_at Nullable(DateTime64(3, 'UTC')),
        estimated_at Nullable(DateTime64(3, 'UTC')),
        actual_at Nullable(DateTime64(3, 'UTC')),
        inferred UInt8,
        location String
    ),
    lines Nested
    (
        item String,
        unit LowCardinality(String),
        order_id String,
        line_id String,
        shipped Int64,
        delivered Int64,
        delivered_at Nullable(DateTime64(3, 'UTC')),
        promised_at Nullable(DateTime64(3, 'UTC')),
        due_at Nullable(DateTime64(3, 'UTC')),
        late UInt8,
        late_ms Int64
    ),
    gone UInt8,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version, gone)
PARTITION BY epoch
ORDER BY (epoch, shipment_id);

CREATE TABLE IF NOT EXISTS stock_positions
(
    epoch UInt64,
    version UInt64,
    site String,
    item String,
    unit LowCardinality(String),
    on_hand Int64,
    reserved Int64,
    quarantined Int64,
    available Int64,
    in_transit Int64,
    received Int64,
    returned Int64,
    moved_in Int64,
    adjusted Int64,
    count_variance Int64,
    shipped Int64,
    moved_out Int64,
    scrapped Int64,
    picked Int64,
    packed Int64,
    put_away Int64,
    mismatch Int64,
    movements Int64,
    last_movement_at Nullable(DateTime64(3, 'UTC')),
    negative_since Nullable(DateTime64(3, 'UTC')),
    stockout_since Nullable(DateTime64(3, 'UTC')),
    findings Array(String),
    gone UInt8,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version, gone)
PARTITION BY epoch
ORDER BY (epoch, site, item);

-- Sums in ms and ms squared, exact. Buckets: see schemas/buckets.py.
CREATE TABLE IF NOT EXISTS lead_stats
(
    epoch UInt64,
    version UInt64,
    measure LowCardinality(String),
    route String,
    last_day Nullable(Date32),
    recent_count Int64,
    recent_negative Int64,
    recent_total Int64,
    recent_squares Int256,
    recent_p50 Nullable(Int64),
    recent_p90 Nullable(Int64),
    recent_p95 Nullable(Int64),
    recent_buckets Array(Int64),
    recent_counts Array(Int64),
    all_count Int64,
    all_negative Int64,
    all_total Int64,
    all_squares Int256,
    all_p50 Nullable(Int64),
    all_p90 Nullable(Int64),
    all_p95 Nullable(Int64),
    all_buckets Array(Int64),
    all_counts Array(Int64),
    gone UInt8,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version, gone)
PARTITION BY epoch
ORDER BY (epoch, measure, route);

-- `entity` is ENTITY_KIND/ENTITY; what is absent from its set is closed.
CREATE TABLE IF NOT EXISTS exceptions
(
    epoch UInt64,
    version UInt64,
    entity String,
    open Nested
    (
        exception_id String,
        kind LowCardinality(String),
        opened_at DateTime64(3, 'UTC'),
        detail String
    ),
    gone UInt8,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version, gone)
PARTITION BY epoch
ORDER BY (epoch, entity);
