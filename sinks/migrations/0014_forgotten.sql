-- What retention dropped, by name (docs/retention.md): whatever comes later of such an event is left out, since what it
-- came to is kept without it. identity: sipHash64(entity, source, event_id). Without retention nothing is written here.
CREATE TABLE IF NOT EXISTS retention_forgotten
(
    topic LowCardinality(String),
    identity UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, identity)
SETTINGS index_granularity = 1024;
