-- one row per lane, always present: lane, late (shipments late, neither acknowledged nor withheld, where that is too
-- many by the page's thresholds, else 0)
SELECT
    toString(on_lane) AS lane,
    toFloat64(
        if(
            found > @{late.page.count}
            OR (found > @{late.page.share} * under_way AND under_way >= @{late.page.of_at_least}),
            found, 0
        )
    ) AS late
FROM
(
    SELECT
        s.lane AS on_lane,
        countIf(s.open = 1) AS under_way,
        countIf(
            s.late_now = 1 AND a.exception_id = '' AND s.shipment_id NOT IN (SELECT shipment_id FROM late_withheld)
        ) AS found
    FROM shipments_now AS s
    LEFT JOIN acknowledgements_now AS a ON a.exception_id = concat('late_delivery/shipment/', s.shipment_id)
    GROUP BY on_lane
)
ORDER BY lane
