-- one row per lane, always present: lane, late (late shipments on it that nobody has acknowledged)
SELECT toString(on_lane) AS lane, toFloat64(sum(found)) AS late
FROM
(
    SELECT lane AS on_lane, count() AS found
    FROM late_shipments
    WHERE acknowledged = 0
    GROUP BY lane
    UNION ALL
    SELECT DISTINCT lane AS on_lane, 0 AS found
    FROM shipments_now
)
GROUP BY on_lane
ORDER BY on_lane
