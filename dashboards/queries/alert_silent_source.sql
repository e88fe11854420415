-- one row per source, always present: source, silent (1 where it is silent for longer than is usual and nobody has
-- acknowledged that, else 0)
SELECT
    source,
    toFloat64(source IN
        (
            SELECT entity
            FROM exceptions_watched
            WHERE kind = 'silent_source'
                AND concat('silent_source/source/', entity) NOT IN (SELECT exception_id FROM acknowledgements_now)
        )
    ) AS silent
FROM sources_known
WHERE source != ''
ORDER BY source
