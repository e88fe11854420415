-- Per epoch, topic and partition: how many coordinates the store accounts for, the first and the last of them.
SELECT epoch, topic, partition, groupBitmap(offset), min(offset), max(offset)
FROM {{places}}
GROUP BY epoch, topic, partition
ORDER BY epoch, topic, partition
