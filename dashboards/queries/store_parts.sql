-- one row per table of the store, the biggest first: table_name, rows_stored, bytes, bytes_per_row, parts
SELECT
    table AS table_name,
    sum(rows) AS rows_stored,
    sum(bytes_on_disk) AS bytes,
    sum(bytes_on_disk) / greatest(sum(rows), 1) AS bytes_per_row,
    count() AS parts
FROM system.parts
WHERE active AND database = currentDatabase()
GROUP BY table_name
ORDER BY bytes DESC, table_name
