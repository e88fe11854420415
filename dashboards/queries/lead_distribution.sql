-- nine rows, the shortest first: lead_time (how long), observations (of the last 90 days of the chosen measure and
-- routes, counted from the log buckets that the statistics are kept in)
SELECT
    ['under 1 h', '1 to 6 h', '6 to 24 h', '1 to 3 days', '3 to 7 days', '1 to 2 weeks', '2 to 4 weeks',
        '4 to 12 weeks', 'over 12 weeks'][step] AS lead_time,
    sum(found) AS observations
FROM
(
    SELECT
        1 + arrayCount(limit -> hours >= limit, [1, 6, 24, 72, 168, 336, 672, 2016]) AS step,
        if(bucket.1 = -1, 0, 2 * pow(1.01 / 0.99, bucket.1) / (1.01 / 0.99 + 1)) / 3600000 AS hours,
        toFloat64(bucket.2) AS found
    FROM
    (
        SELECT arrayJoin(arrayZip(recent_buckets, recent_counts)) AS bucket
        FROM lead_stats FINAL
        WHERE epoch = (SELECT epoch FROM current_epoch)
            AND measure = ${measure:singlequote}
            AND $__conditionalAll(route IN (${route:singlequote}), $route)
    )
    UNION ALL
    SELECT arrayJoin(range(1, 10)) AS step, 0 AS hours, 0 AS found
)
GROUP BY step
ORDER BY step
