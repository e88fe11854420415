-- Late events that were never applied go from their fact table (1), and after that from the late records (3), with those
-- that were applied.
SELECT DISTINCT {run:UInt64} AS run, '{{table}}' AS of_table, 1 AS phase, '{{topic}}' AS topic, epoch, partition, offset
FROM {{table}}
WHERE appended_at < fromUnixTimestamp64Milli({cutoff:Int64})
    AND (epoch, partition, offset) IN ({{unapplied:{{topic}}}})
    AND cityHash64(epoch, partition, offset) % {slices:UInt32} = {slice:UInt32}
UNION ALL
SELECT DISTINCT {run:UInt64}, 'late_event_records', 3, '{{topic}}', epoch, partition, offset
FROM late_event_records
WHERE topic = '{{topic}}' AND appended_at < fromUnixTimestamp64Milli({cutoff:Int64})
    AND cityHash64(epoch, partition, offset) % {slices:UInt32} = {slice:UInt32}
