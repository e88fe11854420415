-- the latest 50 dead letters of the time range: arrived_at, source, cause, reason, field, coordinate,
-- start_of_value
SELECT
    arrived_at,
    source,
    cause,
    reason,
    field,
    concat(topic, ' ', toString(epoch), '/', toString(partition), '/', toString(offset)) AS coordinate,
    toValidUTF8(substring(value, 1, 300)) AS start_of_value
FROM dead_letters
WHERE $__timeFilter(arrived_at)
ORDER BY arrived_at DESC
LIMIT 50
