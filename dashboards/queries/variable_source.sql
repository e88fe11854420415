-- one row per source that ever sent an event: source
SELECT source
FROM sources_known
WHERE source != ''
ORDER BY source
