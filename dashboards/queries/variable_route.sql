-- one row per route of the chosen measure: route
SELECT DISTINCT route
FROM lead_time_stats
WHERE measure = ${measure:singlequote} AND route != 'all'
ORDER BY route
