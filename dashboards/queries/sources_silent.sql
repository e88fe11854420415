-- one row: silent, sources that have been quiet for longer than is usual for them
SELECT countIf(silent_since IS NOT NULL) AS silent
FROM source_arrivals
