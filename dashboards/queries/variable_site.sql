-- one row per site that has stock or has had some: site
SELECT DISTINCT site
FROM stock_now
ORDER BY site
