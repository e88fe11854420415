-- one row: dead, the number of records in the time range that could not be processed
SELECT count() AS dead
FROM dead_letters
WHERE $__timeFilter(arrived_at)
