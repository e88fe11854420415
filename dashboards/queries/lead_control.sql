-- one row per day of one route, the chosen one that breaks the rules most: time, value_days, centre_days,
-- lower_days, upper_days
SELECT
    toDateTime(one.1, 'UTC') AS time, one.2 AS value_days, one.3 AS centre_days, one.4 AS lower_days, one.5 AS upper_days
FROM
(
    SELECT groupArray((day, value_days, centre_days, lower_days, upper_days)) AS told
    FROM lead_time_control_of(
        of = ${measure:singlequote},
        days = toUInt32(greatest(dateDiff('day', toDate($__fromTime, 'UTC'), toDate(now('UTC'))), 0) + 91)
    )
    WHERE day >= toDate($__fromTime, 'UTC')
        AND day <= toDate($__toTime, 'UTC')
        AND $__conditionalAll(route IN (${route:singlequote}), $route)
    GROUP BY route
    ORDER BY countIf(rule != '') DESC, count() DESC, route DESC
    LIMIT 1
)
ARRAY JOIN told AS one
ORDER BY time
