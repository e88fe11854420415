-- How many rows the tables hold, as the engine counts parts: one row.
SELECT toUInt64(ifNull(sum(rows), 0))
FROM system.parts
WHERE active AND database = currentDatabase() AND table IN {tables:Array(String)}
