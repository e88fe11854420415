-- one row per site with a backlog or a known capacity: site, name, open_receipts, backlog_quantity, oldest_since,
-- capacity_per_day (NULL where nobody told it)
SELECT
    b.site AS site,
    c.name AS name,
    b.open_receipts AS open_receipts,
    b.backlog_quantity AS backlog_quantity,
    b.oldest_since AS oldest_since,
    b.capacity_per_day AS capacity_per_day
FROM
(
    SELECT *
    FROM site_backlog
    WHERE 1 = 1
        AND $__conditionalAll(site IN (${site:singlequote}), $site)
) AS b
LEFT JOIN site_capacity AS c ON c.site = b.site
ORDER BY backlog_quantity DESC, site
LIMIT 200
