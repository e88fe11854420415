-- one row: late, records of the time range that came after their period had closed and are in no figure yet
SELECT countIf(applied_at IS NULL) AS late
FROM late_records
WHERE $__timeFilter(arrived_at)
