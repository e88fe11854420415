-- Dead letters that were sent again and late records that were applied after all: where they stood first, and where
-- they stood then (what `publish` refused is in a topic only then). A dead letter that was sent again is a new record
-- with a new coordinate (and may be dead again); a late record that was applied keeps its first one.
CREATE TABLE IF NOT EXISTS handled_records
(
    kind LowCardinality(String),
    first_epoch UInt64,
    first_topic LowCardinality(String),
    first_partition UInt32,
    first_offset UInt64,
    epoch UInt64,
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64,
    handled_at DateTime64(3, 'UTC'),
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (kind, first_topic, first_epoch, first_partition, first_offset, topic, epoch, partition, offset);

-- Records that could not be processed, one row each. resent_at: when it was last sent again; NULL: never.
CREATE OR REPLACE VIEW dead_letters AS
SELECT
    d.appended_at AS arrived_at, d.source AS source, d.cause AS cause, d.reason AS reason, d.field AS field,
    d.topic AS topic, d.epoch AS epoch, d.partition AS partition, d.offset AS offset, d.origin AS origin,
    d.key AS key, d.value AS value, again.handled_at AS resent_at
FROM dead_letter_records AS d FINAL
LEFT JOIN
(
    SELECT
        toString(handled_records.first_topic) AS first_topic, first_epoch, first_partition, first_offset,
        toNullable(max(handled_at)) AS handled_at
    FROM handled_records
    WHERE kind = 'dead'
    GROUP BY first_topic, first_epoch, first_partition, first_offset
) AS again
    ON again.first_topic = d.topic AND again.first_epoch = d.epoch
    AND again.first_partition = d.partition AND again.first_offset = d.offset;

-- Events that came after their period had closed, one row each. applied_at: when it was applied after all
-- (`quayside late apply`); NULL: it is not in any figure.
CREATE OR REPLACE VIEW late_records AS
SELECT
    late.appended_at AS arrived_at, late.topic AS topic, late.epoch AS epoch, late.partition AS partition,
    late.offset AS offset, late.entity AS entity, late.source AS source, late.event_id AS event_id,
    late.reason AS reason, late.value AS value, again.handled_at AS applied_at
FROM late_event_records AS late FINAL
LEFT JOIN
(
    SELECT
        toString(handled_records.first_topic) AS first_topic, first_epoch, first_partition, first_offset,
        toNullable(max(handled_at)) AS handled_at
    FROM handled_records
    WHERE kind = 'late'
    GROUP BY first_topic, first_epoch, first_partition, first_offset
) AS again
    ON again.first_topic = late.topic AND again.first_epoch = late.epoch
    AND again.first_partition = late.partition AND again.first_offset = late.offset;
