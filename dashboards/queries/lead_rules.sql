-- up to 200 days of the time range on which a route of the chosen measure broke a rule, the latest first: day_at,
-- measure, route, value_days, centre_days, lower_days, upper_days, broken_rule
SELECT
    toDateTime(day, 'UTC') AS day_at,
    measure,
    route,
    value_days,
    centre_days,
    lower_days,
    upper_days,
    rule AS broken_rule
FROM lead_time_control_of(
    of = ${measure:singlequote},
    days = toUInt32(greatest(dateDiff('day', toDate($__fromTime, 'UTC'), toDate(now('UTC'))), 0) + 91)
)
WHERE day >= toDate($__fromTime, 'UTC')
    AND day <= toDate($__toTime, 'UTC')
    AND rule != ''
    AND $__conditionalAll(route IN (${route:singlequote}), $route)
ORDER BY day DESC, route
LIMIT 200
