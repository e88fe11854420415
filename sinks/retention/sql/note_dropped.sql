-- Note the coordinates of what goes.
INSERT INTO retention_dropped
SELECT epoch, topic, partition, groupBitmapState(offset)
FROM retention_dropping
WHERE run = {run:UInt64} AND of_table != 'late_event_records'
GROUP BY epoch, topic, partition
