-- one row per source, those that are silent for the longest first: source, last_arrived_at, quiet_s (since then),
-- usual_gap_s, silent_since, state
SELECT
    source,
    a.last_arrived_at AS last_arrived_at,
    toFloat64(dateDiff('second', a.last_arrived_at, now64(3, 'UTC'))) AS quiet_s,
    toFloat64(a.usual_gap_s) AS usual_gap_s,
    a.silent_since AS silent_since,
    if(a.silent_since IS NULL, 'sends', 'silent') AS state
FROM sources_known
LEFT JOIN source_arrivals AS a USING (source)
WHERE 1 = 1
    AND $__conditionalAll(source IN (${source:singlequote}), $source)
ORDER BY silent_since IS NULL, silent_since, quiet_s / nullIf(usual_gap_s, 0) DESC NULLS LAST, source
LIMIT 300
