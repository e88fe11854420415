-- one row: seconds, how much older the newest derived state is than the newest event; NULL before the first one
SELECT greatest(toFloat64(state_age_s) - toFloat64(age_s), 0) AS seconds
FROM freshness_now
