-- one row per lane, always present: lane, newly_late (shipments that became late within the window and are neither
-- acknowledged nor withheld, where those are more than the threshold, else 0)
SELECT toString(on_lane) AS lane, toFloat64(if(found > @{newly_late.count}, found, 0)) AS newly_late
FROM
(
    SELECT
        s.lane AS on_lane,
        countIf(
            s.late_now = 1 AND a.exception_id = '' AND s.shipment_id NOT IN (SELECT shipment_id FROM late_withheld)
            AND ifNull(s.due_at >= now64(3, 'UTC') - INTERVAL @{newly_late.window_minutes} MINUTE, 0)
        ) AS found
    FROM shipments_now AS s
    LEFT JOIN acknowledgements_now AS a ON a.exception_id = concat('late_delivery/shipment/', s.shipment_id)
    GROUP BY on_lane
)
ORDER BY lane
