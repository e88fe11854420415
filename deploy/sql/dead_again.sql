-- Dead letters that were sent again since a moment (ms) and are dead again where they last stood, and why.
WITH last AS
(
    SELECT
        first_epoch, toString(handled_records.first_topic) AS first_topic, first_partition, first_offset,
        argMax((toString(topic), epoch, partition, offset), handled_at) AS place
    FROM handled_records
    WHERE kind = 'dead' AND handled_at >= fromUnixTimestamp64Milli({since:Int64})
    GROUP BY first_epoch, first_topic, first_partition, first_offset
)
SELECT last.first_epoch, last.first_topic, last.first_partition, last.first_offset, any(dead.reason)
FROM last
INNER JOIN dead_letter_records AS dead
    ON toString(dead.topic) = last.place.1 AND dead.epoch = last.place.2
    AND dead.partition = last.place.3 AND dead.offset = last.place.4
GROUP BY last.first_epoch, last.first_topic, last.first_partition, last.first_offset
ORDER BY last.first_topic, last.first_epoch, last.first_partition, last.first_offset
LIMIT 1000000
