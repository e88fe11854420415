-- one row per site, always present: site, stockouts (open exceptions of that kind that are not acknowledged, where
-- those are more than the threshold, else 0)
SELECT toString(on_site) AS site, toFloat64(if(sum(one) > @{stockout.count}, sum(one), 0)) AS stockouts
FROM
(
    SELECT site AS on_site, toUInt64(1) AS one
    FROM stock_exceptions_open
    WHERE kind = 'stockout' AND acknowledged = 0
    UNION ALL
    SELECT DISTINCT site AS on_site, toUInt64(0) AS one FROM stock_now
)
GROUP BY on_site
ORDER BY site
