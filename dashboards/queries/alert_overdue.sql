-- one row per lane, always present: lane, overdue (shipments with an overdue milestone that are not acknowledged and
-- that no running load tells of, where those are more than the threshold, else 0)
SELECT toString(on_lane) AS lane, toFloat64(if(sum(one) > @{overdue_milestone.count}, sum(one), 0)) AS overdue
FROM
(
    SELECT lane AS on_lane, uniqExact(shipment_id) AS one
    FROM shipment_milestones
    WHERE overdue_now = 1
        AND concat('overdue_milestone/shipment/', shipment_id) NOT IN (SELECT exception_id FROM acknowledgements_now)
        AND shipment_id NOT IN (SELECT shipment_id FROM shipments_loading)
    GROUP BY lane
    UNION ALL
    SELECT DISTINCT lane AS on_lane, toUInt64(0) AS one FROM shipments_now
)
GROUP BY on_lane
ORDER BY lane
