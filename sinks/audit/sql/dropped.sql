-- Which offsets of a partition of the running broker the store has no bytes of since retention dropped them: what stands
-- there itself, or what a replayed record there was at first. Retention's own retractions (epoch 0, partition 1) go an
-- hour after a run.
SELECT arrayJoin(arrayFilter(one -> bitmapContains(found, one), {offsets:Array(UInt64)})) AS offset
FROM
(
    SELECT groupBitmapMergeState(offsets) AS found
    FROM retention_dropped
    WHERE topic = {topic:String} AND epoch = {epoch:UInt64} AND partition = {partition:UInt32}
)
UNION ALL
SELECT arrayJoin(arrayFilter((one, first) -> bitmapContains(gone.found, first), again.offsets, again.firsts))
FROM
(
    SELECT first_epoch, first_partition, groupArray(offset) AS offsets, groupArray(first_offset) AS firsts
    FROM replayed_records
    WHERE topic = {topic:String} AND epoch = {epoch:UInt64} AND partition = {partition:UInt32}
        AND offset IN {offsets:Array(UInt64)}
    GROUP BY first_epoch, first_partition
) AS again
INNER JOIN
(
    SELECT epoch, partition, groupBitmapMergeState(offsets) AS found
    FROM retention_dropped
    WHERE topic = {topic:String}
    GROUP BY epoch, partition
) AS gone ON gone.epoch = again.first_epoch AND gone.partition = again.first_partition
UNION ALL
SELECT offset
FROM replayed_records
WHERE topic = {topic:String} AND epoch = {epoch:UInt64} AND partition = {partition:UInt32}
    AND offset IN {offsets:Array(UInt64)} AND first_epoch = 0 AND first_partition = 1
