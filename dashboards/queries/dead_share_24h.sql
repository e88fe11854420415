-- one row: share, dead letters / records of all topics of facts that arrived in the last 24 hours (0 to 1)
SELECT sum(dead_24h) / nullIf(sum(dead_24h) + sum(events_24h), 0) AS share
FROM source_health
