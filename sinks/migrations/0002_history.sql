-- The history: every record of a fact topic, once per Kafka coordinate after FINAL.
--
-- Sorted by what the event is about, so that one order, shipment or position is read in milliseconds;
-- the coordinate ends the sort key, so that a record inserted twice is one row after FINAL. Whatever a
-- correction may change (type, times, quantity) is in neither the sort key nor the partition, and two
-- inserts of one record are equal in both. `entity` is the Kafka key.

CREATE TABLE IF NOT EXISTS supplier_events
(
    epoch UInt64 CODEC(ZSTD(1)),
    partition UInt32 CODEC(ZSTD(1)),
    offset UInt64 CODEC(Delta, ZSTD(1)),
    appended_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    order_id String CODEC(ZSTD(1)),
    entity String ALIAS order_id,
    source LowCardinality(String),
    event_id String CODEC(ZSTD(1)),
    type LowCardinality(String),
    occurred_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    recorded_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    offset_minutes Int16 CODEC(ZSTD(1)),
    retracted UInt8 CODEC(ZSTD(1)),
    precision LowCardinality(String),
    zone_assumed UInt8 CODEC(ZSTD(1)),
    content_hash FixedString(16),
    references Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    findings Array(String) CODEC(ZSTD(1)),
    raw String CODEC(ZSTD(3)),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX when_occurred occurred_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(appended_at)
ORDER BY (order_id, source, event_id, epoch, partition, offset);

CREATE TABLE IF NOT EXISTS shipment_events
(
    epoch UInt64 CODEC(ZSTD(1)),
    partition UInt32 CODEC(ZSTD(1)),
    offset UInt64 CODEC(Delta, ZSTD(1)),
    appended_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    shipment_id String CODEC(ZSTD(1)),
    entity String ALIAS shipment_id,
    source LowCardinality(String),
    event_id String CODEC(ZSTD(1)),
    type LowCardinality(String),
    occurred_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    recorded_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    offset_minutes Int16 CODEC(ZSTD(1)),
    retracted UInt8 CODEC(ZSTD(1)),
    precision LowCardinality(String),
    zone_assumed UInt8 CODEC(ZSTD(1)),
    content_hash FixedString(16),
    references Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    findings Array(String) CODEC(ZSTD(1)),
    raw String CODEC(ZSTD(3)),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    milestone LowCardinality(String),
    classifier LowCardinality(String),
    leg UInt8 CODEC(ZSTD(1)),
    INDEX when_occurred occurred_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(appended_at)
ORDER BY (shipment_id, source, event_id, epoch, partition, offset);

CREATE TABLE IF NOT EXISTS warehouse_events
(
    epoch UInt64 CODEC(ZSTD(1)),
    partition UInt32 CODEC(ZSTD(1)),
    offset UInt64 CODEC(Delta, ZSTD(1)),
    appended_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    site String CODEC(ZSTD(1)),
    item String CODEC(ZSTD(1)),
    entity String ALIAS concat(site, '|', item),
    source LowCardinality(String),
    event_id String CODEC(ZSTD(1)),
    type LowCardinality(String),
    occurred_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    recorded_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    offset_minutes Int16 CODEC(ZSTD(1)),
    retracted UInt8 CODEC(ZSTD(1)),
    precision LowCardinality(String),
    zone_assumed UInt8 CODEC(ZSTD(1)),
    content_hash FixedString(16),
    references Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    findings Array(String) CODEC(ZSTD(1)),
    raw String CODEC(ZSTD(3)),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    quantity_thousandths Int64 CODEC(ZSTD(1)),
    quantity Decimal(18, 3) ALIAS reinterpret(quantity_thousandths, 'Decimal(18, 3)'),
    unit LowCardinality(String),
    direction LowCardinality(String),
    INDEX when_occurred occurred_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(appended_at)
ORDER BY (site, item, source, event_id, epoch, partition, offset);

CREATE TABLE IF NOT EXISTS reference_events
(
    epoch UInt64 CODEC(ZSTD(1)),
    partition UInt32 CODEC(ZSTD(1)),
    offset UInt64 CODEC(Delta, ZSTD(1)),
    appended_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    entity String CODEC(ZSTD(1)),
    source LowCardinality(String),
    event_id String CODEC(ZSTD(1)),
    type LowCardinality(String),
    occurred_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    recorded_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    offset_minutes Int16 CODEC(ZSTD(1)),
    retracted UInt8 CODEC(ZSTD(1)),
    precision LowCardinality(String),
    zone_assumed UInt8 CODEC(ZSTD(1)),
    content_hash FixedString(16),
    references Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    findings Array(String) CODEC(ZSTD(1)),
    raw String CODEC(ZSTD(3)),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX when_occurred occurred_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(appended_at)
ORDER BY (entity, source, event_id, epoch, partition, offset);

CREATE TABLE IF NOT EXISTS operator_events
(
    epoch UInt64 CODEC(ZSTD(1)),
    partition UInt32 CODEC(ZSTD(1)),
    offset UInt64 CODEC(Delta, ZSTD(1)),
    appended_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    entity String CODEC(ZSTD(1)),
    exception_id String ALIAS entity,
    source LowCardinality(String),
    event_id String CODEC(ZSTD(1)),
    type LowCardinality(String),
    occurred_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    recorded_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    offset_minutes Int16 CODEC(ZSTD(1)),
    retracted UInt8 CODEC(ZSTD(1)),
    precision LowCardinality(String),
    zone_assumed UInt8 CODEC(ZSTD(1)),
    content_hash FixedString(16),
    references Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    findings Array(String) CODEC(ZSTD(1)),
    raw String CODEC(ZSTD(3)),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    operator String CODEC(ZSTD(1)),
    until Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    note String CODEC(ZSTD(1)),
    INDEX when_occurred occurred_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(appended_at)
ORDER BY (entity, source, event_id, epoch, partition, offset);

-- Where a replayed record stood again: it is in a fact table (or dead) under its first coordinate only.
-- With it, stored + dead + replayed = records of the topic, by distinct coordinates.
CREATE TABLE IF NOT EXISTS replayed_records
(
    epoch UInt64 CODEC(ZSTD(1)),
    topic LowCardinality(String),
    partition UInt32 CODEC(ZSTD(1)),
    offset UInt64 CODEC(Delta, ZSTD(1)),
    first_epoch UInt64 CODEC(ZSTD(1)),
    first_partition UInt32 CODEC(ZSTD(1)),
    first_offset UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (epoch, topic, partition, offset);

-- Records that could not be processed, with their bytes as they came. The sink finds the unreadable ones
-- itself and the agents report them on dead.letters: by coordinate and origin they are one row.
CREATE TABLE IF NOT EXISTS dead_letter_records
(
    epoch UInt64,
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64,
    origin String,
    appended_at DateTime64(3, 'UTC'),
    source String,
    cause LowCardinality(String),
    reason String,
    field String,
    key String,
    value String CODEC(ZSTD(3)),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, epoch, partition, offset, origin);

-- Events that came after their period had closed.
CREATE TABLE IF NOT EXISTS late_event_records
(
    epoch UInt64,
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64,
    appended_at DateTime64(3, 'UTC'),
    entity String,
    source String,
    event_id String,
    reason String,
    value String CODEC(ZSTD(3)),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, epoch, partition, offset);
