-- How many rows the tables hold, as the engine counts parts, and whether retention has ever dropped an event: one row.
SELECT
    toUInt64(ifNull(sum(rows), 0)),
    (SELECT count() FROM (SELECT 1 FROM retention_forgotten LIMIT 1))
FROM system.parts
WHERE active AND database = currentDatabase() AND table IN {tables:Array(String)}
