-- one row: negative, observations below zero of the chosen measure (findings; in no statistic)
SELECT sum(negative) AS negative
FROM lead_time_stats
WHERE measure = ${measure:singlequote}
    AND window = 'all'
    AND route != 'all'
    AND $__conditionalAll(route IN (${route:singlequote}), $route)
