-- one row per source that ever sent an event: source
SELECT DISTINCT source
FROM source_health
WHERE source != ''
ORDER BY source
