-- How many rows of each table go.
SELECT toString(of_table), uniqExact(topic, epoch, partition, offset)
FROM retention_dropping
WHERE run = {run:UInt64}
GROUP BY of_table
ORDER BY of_table
