-- And of dead letters and replayed records.
INSERT INTO retention_dropped
SELECT epoch, topic, partition, groupBitmapState(offset)
FROM dead_letter_records
WHERE origin = '' AND appended_at < fromUnixTimestamp64Milli({cutoff:Int64}) AND topic IN {topics:Array(String)}
GROUP BY epoch, topic, partition
UNION ALL
SELECT epoch, topic, partition, groupBitmapState(offset)
FROM replayed_records
WHERE epoch IN ({{left_epochs}})
GROUP BY epoch, topic, partition
