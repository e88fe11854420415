-- one row per measure, always present: measure, shifted (routes whose lead time has shifted and that nobody has
-- acknowledged, where those are more than the threshold, else 0)
SELECT toString(of_measure) AS measure, toFloat64(if(sum(one) > @{lead_time_shift.count}, sum(one), 0)) AS shifted
FROM
(
    SELECT splitByChar('|', entity)[1] AS of_measure, toUInt64(1) AS one
    FROM exceptions_watched_now
    WHERE kind = 'lead_time_shift' AND acknowledged = 0
    UNION ALL
    SELECT DISTINCT toString(measure) AS of_measure, toUInt64(0) AS one FROM lead_time_stats WHERE route != 'all'
)
GROUP BY of_measure
ORDER BY measure
