-- one row: share, dead letters / records of all topics of facts that arrived in the last 24 hours (0 to 1)
WITH
    (
        SELECT count()
        FROM dead_letters
        WHERE arrived_at > now64(3, 'UTC') - INTERVAL 1 DAY AND source != ''
    ) AS dead,
    (SELECT uniqExact(epoch, topic, partition, offset) FROM arrivals_since(days = 1)) AS events
SELECT dead / nullIf(dead + events, 0) AS share
