-- Dead letters and late records of some sources ('*': of all) that arrived since a moment (ms), and what a gateway
-- refused of one token, whatever could be read of it. The first so many; with the last of them go all others that
-- arrived in the same ms, so that whoever asks on from the next ms misses none.
WITH
dead_places AS
(
    SELECT DISTINCT toString(topic) AS topic, epoch, partition, offset, origin, appended_at
    FROM dead_letter_records
    WHERE toUnixTimestamp64Milli(appended_at) >= {since:Int64}
        AND (has({sources:Array(String)}, source) OR has({sources:Array(String)}, '*') OR origin = {own:String})
    ORDER BY appended_at
    LIMIT {most:UInt32} WITH TIES
),
dead AS
(
    SELECT
        'dead' AS kind, arrived_at, topic, epoch, partition, offset, origin, source,
        JSONExtractString(value, 'event_id') AS event_id, toString(cause) AS cause, field, reason,
        resent_at AS handled_at
    FROM dead_letters
    WHERE (topic, epoch, partition, offset, origin) IN
        (SELECT topic, epoch, partition, offset, origin FROM dead_places)
),
late AS
(
    SELECT
        'late' AS kind, arrived_at, toString(topic) AS topic, epoch, partition, offset, '' AS origin, source,
        event_id, 'late' AS cause, '' AS field, reason, applied_at AS handled_at
    FROM late_records
    WHERE toUnixTimestamp64Milli(arrived_at) >= {since:Int64}
        AND (has({sources:Array(String)}, source) OR has({sources:Array(String)}, '*'))
    ORDER BY arrived_at
    LIMIT {most:UInt32} WITH TIES
)
SELECT
    kind, toUnixTimestamp64Milli(arrived_at) AS arrived_ms, topic, epoch, partition, offset, origin, source, event_id,
    cause, field, reason, toUnixTimestamp64Milli(handled_at) AS handled_ms
FROM (SELECT * FROM dead UNION ALL SELECT * FROM late)
ORDER BY arrived_ms
LIMIT {most:UInt32} WITH TIES
