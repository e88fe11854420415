-- up to 200 kinds of late records of the time range, the most frequent first: source, topic, reason, late,
-- not_applied, last_at
SELECT
    source,
    topic,
    reason,
    count() AS late,
    countIf(applied_at IS NULL) AS not_applied,
    max(arrived_at) AS last_at
FROM late_records
WHERE $__timeFilter(arrived_at)
    AND $__conditionalAll(source IN (${source:singlequote}), $source)
GROUP BY source, topic, reason
ORDER BY late DESC, source, topic, reason
LIMIT 200
