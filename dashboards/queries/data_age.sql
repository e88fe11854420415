-- one row: seconds since the newest event arrived; NULL before the first one
SELECT toFloat64(age_s) AS seconds
FROM freshness_now
