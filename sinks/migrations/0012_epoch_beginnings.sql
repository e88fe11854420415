-- Where an epoch begins in the partitions of a broker that had records before it (`quayside rebuild` on the same
-- broker): what stands before belongs to an earlier epoch. No row: it begins with the broker's first record.
CREATE TABLE IF NOT EXISTS epoch_beginnings
(
    epoch UInt64,
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64
)
ENGINE = ReplacingMergeTree
ORDER BY (epoch, topic, partition);
