-- one row per source, always present: source, silent (1 where it is silent for longer than is usual and nobody has
-- acknowledged that, else 0)
SELECT toString(h.source) AS source, toFloat64(e.entity != '') AS silent
FROM source_health AS h
LEFT JOIN
(
    SELECT DISTINCT entity
    FROM exceptions_open
    WHERE kind = 'silent_source' AND acknowledged = 0
) AS e ON e.entity = h.source
WHERE h.source != ''
ORDER BY source
