-- one row per day and kind, the mean of the chosen suppliers' lines delivered that day: time, kind, days (from order
-- to promise, from order to delivery, and how late the late ones were)
SELECT toDateTime(day, 'UTC') AS time, told.1 AS kind, avgWeighted(assumeNotNull(told.2), lines) AS days
FROM
(
    SELECT
        day,
        lines,
        arrayJoin([
            ('promised', toNullable(toFloat64(promised_days_mean))), ('actual', toNullable(toFloat64(actual_days_mean))),
            ('late by', toNullable(toFloat64(late_days_mean)))
        ]) AS told
    FROM supplier_daily
    WHERE day >= toDate($__fromTime, 'UTC')
        AND day <= toDate($__toTime, 'UTC')
        AND $__conditionalAll(supplier IN (${supplier:singlequote}), $supplier)
)
WHERE told.2 IS NOT NULL
GROUP BY time, kind
ORDER BY time, kind
