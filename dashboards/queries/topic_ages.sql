-- one row per topic, the oldest first: topic, seconds since its newest record was written
SELECT topic, toFloat64(age_s) AS seconds
FROM topic_freshness
WHERE newest_at IS NOT NULL
ORDER BY seconds DESC, topic
