-- The store itself: who it is, and the epochs (lives of a broker, rebuilds) whose records it holds.

-- One row. Two processes that migrate at once may leave two: the earliest counts.
CREATE TABLE IF NOT EXISTS store
(
    store_id UUID,
    created_at DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY created_at;

INSERT INTO store
SELECT generateUUIDv4(), now64(3, 'UTC')
WHERE (SELECT count() FROM store) = 0;

-- One row per epoch after FINAL. ended_at is NULL until the epoch's rebuild has ended: until then
-- nobody sees its states.
CREATE TABLE IF NOT EXISTS epochs
(
    epoch UInt64,
    started_at DateTime64(3, 'UTC'),
    ended_at Nullable(DateTime64(3, 'UTC')),
    written_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY epoch;

-- The newest epoch whose rebuild has ended; NULL when there is none. An end is never taken back, so
-- no FINAL is needed.
CREATE OR REPLACE VIEW current_epoch AS
SELECT maxOrNull(epoch) AS epoch
FROM epochs
WHERE ended_at IS NOT NULL;
