-- one row: n, observations of the last 90 days of the chosen measure's chosen routes
SELECT sum(n) AS n
FROM lead_time_stats
WHERE measure = ${measure:singlequote}
    AND window = '90d'
    AND route != 'all'
    AND $__conditionalAll(route IN (${route:singlequote}), $route)
