-- What came again of an event that retention had dropped, and is old by now: it is in no figure, and goes.
SELECT DISTINCT {run:UInt64} AS run, '{{table}}' AS of_table, 1 AS phase, '{{topic}}' AS topic, epoch, partition, offset
FROM {{table}}
WHERE epoch > 0 AND appended_at < fromUnixTimestamp64Milli({cutoff:Int64})
    AND {{which}}
    AND (epoch, partition, offset) NOT IN ({{unapplied:{{topic}}}})
    AND sipHash64(entity, toString(source), event_id) IN ({{forgotten:{{topic}}}})
