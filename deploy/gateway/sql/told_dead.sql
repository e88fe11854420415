-- The last record that said it was this event of this source, and could not be taken; or that named no source that can
-- be read, and was refused by a gateway of this very token.
SELECT
    toUnixTimestamp64Milli(arrived_at), toString(topic), cause, reason, field, toUnixTimestamp64Milli(resent_at)
FROM
(
    SELECT appended_at AS arrived_at, topic, toString(cause) AS cause, reason, field, epoch, partition, offset
    FROM dead_letter_records
    PREWHERE source = {source:String} OR source = '' AND origin = {own:String}
    WHERE JSONExtractString(value, 'event_id') = {event_id:String}
    ORDER BY appended_at DESC, inserted_at DESC, topic, epoch DESC, partition, offset DESC, origin
    LIMIT 1
) AS dead
LEFT JOIN
(
    SELECT
        toString(handled_records.first_topic) AS first_topic, first_epoch, first_partition, first_offset,
        toNullable(max(handled_at)) AS resent_at
    FROM handled_records
    WHERE kind = 'dead'
    GROUP BY first_topic, first_epoch, first_partition, first_offset
) AS again
    ON again.first_topic = dead.topic AND again.first_epoch = dead.epoch
    AND again.first_partition = dead.partition AND again.first_offset = dead.offset
