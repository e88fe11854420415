-- one row per UTC day of delivery: time, late_share (0 to 1) of the delivered lines that had a promise
SELECT
    toDateTime(day, 'UTC') AS time,
    sum(late) / (sum(on_time) + sum(late)) AS late_share
FROM on_time_daily
WHERE day >= toDate($__fromTime, 'UTC')
    AND day <= toDate($__toTime, 'UTC')
    AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
    AND $__conditionalAll(supplier IN (${supplier:singlequote}), $supplier)
GROUP BY day
HAVING sum(on_time) + sum(late) > 0
ORDER BY time
