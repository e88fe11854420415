-- up to 200 kinds of dead letters of the time range, the most frequent first: source, cause, dead, not_resent,
-- last_at, example_reason
SELECT
    source,
    cause,
    count() AS dead,
    countIf(resent_at IS NULL) AS not_resent,
    max(arrived_at) AS last_at,
    argMax(reason, arrived_at) AS example_reason
FROM dead_letters
WHERE $__timeFilter(arrived_at)
    AND $__conditionalAll(source IN (${source:singlequote}), $source)
GROUP BY source, cause
ORDER BY dead DESC, source, cause
LIMIT 200
