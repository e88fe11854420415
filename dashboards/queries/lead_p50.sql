-- one row: days, the 50 % quantile of the chosen measure over the last 90 days, all routes together
SELECT max(p50_days) AS days
FROM lead_time_stats
WHERE measure = ${measure:singlequote}
    AND window = '90d'
    AND route = 'all'
