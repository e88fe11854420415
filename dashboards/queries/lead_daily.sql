-- one row per day, and quantile of the 6 most observed of the chosen routes: time, series (route and quantile), days
SELECT
    toDateTime(day, 'UTC') AS time,
    concat(route, told.1) AS series,
    told.2 AS days
FROM
(
    SELECT day, route, arrayJoin([(' p50', p50_days), (' p90', p90_days)]) AS told
    FROM lead_time_daily
    WHERE measure = ${measure:singlequote}
        AND day >= toDate($__fromTime, 'UTC')
        AND day <= toDate($__toTime, 'UTC')
        AND route IN (
            SELECT route
            FROM lead_time_stats
            WHERE window = '90d'
                AND measure = ${measure:singlequote}
                AND route != 'all'
                AND $__conditionalAll(route IN (${route:singlequote}), $route)
            ORDER BY n DESC, route
            LIMIT 6
        )
)
ORDER BY time, series
