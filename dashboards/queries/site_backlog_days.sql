-- one row per site whose capacity is known, the fullest first: site, days_of_work (backlog / capacity of a day)
SELECT site, toFloat64(backlog_quantity) / toFloat64(capacity_per_day) AS days_of_work
FROM site_backlog
WHERE capacity_per_day > 0
    AND $__conditionalAll(site IN (${site:singlequote}), $site)
ORDER BY days_of_work DESC, site
LIMIT 20
