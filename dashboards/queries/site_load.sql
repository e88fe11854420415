-- one row per UTC day and site whose capacity is known: time, site, load (quantity that came in / capacity of a day)
SELECT
    toDateTime(toDate(hour, 'UTC'), 'UTC') AS time,
    site,
    sum(toFloat64(quantity_in)) / any(c.capacity) AS load
FROM site_hourly
INNER JOIN
(
    SELECT site, toFloat64(capacity_per_day) AS capacity
    FROM site_capacity
    WHERE capacity_per_day > 0
) AS c USING (site)
WHERE hour >= toStartOfDay($__fromTime, 'UTC')
    AND hour <= $__toTime
    AND $__conditionalAll(site IN (${site:singlequote}), $site)
GROUP BY time, site
ORDER BY time, site
