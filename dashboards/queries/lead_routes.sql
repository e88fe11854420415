-- up to 200 routes of the chosen measure, the most observed first: measure, route, n, p50_days, p90_days, p95_days,
-- mean_days, stddev_days (90 days), p50_ever (all time), drift (p50 of 90 days / of all time - 1), last_day
SELECT
    r.measure AS measure,
    r.route AS route,
    r.n AS n,
    r.p50_days AS p50_days,
    r.p90_days AS p90_days,
    r.p95_days AS p95_days,
    r.mean_days AS mean_days,
    r.stddev_days AS stddev_days,
    a.p50_days AS p50_ever,
    r.p50_days / nullIf(a.p50_days, 0) - 1 AS drift,
    r.last_day AS last_day
FROM (SELECT * FROM lead_time_stats WHERE window = '90d' AND measure = ${measure:singlequote} AND route != 'all') AS r
LEFT JOIN (SELECT route, p50_days FROM lead_time_stats WHERE window = 'all' AND measure = ${measure:singlequote}) AS a ON a.route = r.route
WHERE 1 = 1
    AND $__conditionalAll(r.route IN (${route:singlequote}), $route)
ORDER BY n DESC, route
LIMIT 200
