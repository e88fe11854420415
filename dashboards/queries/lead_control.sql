-- one row per day of one route, the chosen one that breaks the rules most: time, value_days, centre_days,
-- lower_days, upper_days
SELECT toDateTime(day, 'UTC') AS time, value_days, centre_days, lower_days, upper_days
FROM lead_time_control
WHERE measure = ${measure:singlequote}
    AND day >= toDate($__fromTime, 'UTC')
    AND day <= toDate($__toTime, 'UTC')
    AND route = (
        SELECT argMax(route, (broken, told, route))
        FROM
        (
            SELECT route, countIf(rule != '') AS broken, count() AS told
            FROM lead_time_control
            WHERE measure = ${measure:singlequote}
                AND day >= toDate($__fromTime, 'UTC')
                AND day <= toDate($__toTime, 'UTC')
                AND $__conditionalAll(route IN (${route:singlequote}), $route)
            GROUP BY route
        )
    )
ORDER BY time
