-- one row per hour and activity: time, activity, movements (warehouse events of the chosen sites)
SELECT
    hour AS time,
    told.1 AS activity,
    sum(told.2) AS movements
FROM
(
    SELECT
        toDateTime(hour) AS hour,
        arrayJoin([
            ('received', toFloat64(received)), ('put away', toFloat64(put_away)), ('picked', toFloat64(picked)),
            ('packed', toFloat64(packed)), ('shipped', toFloat64(shipped)), ('counted', toFloat64(counted))
        ]) AS told
    FROM site_hourly
    WHERE $__timeFilter(hour)
        AND $__conditionalAll(site IN (${site:singlequote}), $site)
)
GROUP BY time, activity
ORDER BY time, activity
