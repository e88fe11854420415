-- one row per site, always present: site, negative (open exceptions of that kind that are not acknowledged, where
-- those are more than the threshold, else 0)
SELECT toString(on_site) AS site, toFloat64(if(sum(one) > @{negative_stock.count}, sum(one), 0)) AS negative
FROM
(
    SELECT site AS on_site, toUInt64(1) AS one
    FROM stock_exceptions_open
    WHERE kind = 'negative_stock' AND acknowledged = 0
    UNION ALL
    SELECT DISTINCT site AS on_site, toUInt64(0) AS one FROM stock_now
)
GROUP BY on_site
ORDER BY site
