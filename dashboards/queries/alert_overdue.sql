-- one row per lane, always present: lane, overdue (shipments with an overdue milestone that are not acknowledged and
-- that no running load tells of, where those are more than the threshold, else 0)
SELECT on_lane AS lane, toFloat64(if(found > @{overdue_milestone.count}, found, 0)) AS overdue
FROM
(
    SELECT
        toString(lane) AS on_lane,
        countIf(
            is_overdue
            AND concat('overdue_milestone/shipment/', shipment_id)
                NOT IN (SELECT exception_id FROM acknowledgements_now)
            AND shipment_id NOT IN (SELECT shipment_id FROM shipments_loading)
        ) AS found
    FROM
    (
        SELECT shipment_id, lane, arrayExists(due -> due < now64(3, 'UTC'), awaited.due_at) AS is_overdue
        FROM shipments_under_way FINAL
        WHERE epoch = (SELECT epoch FROM current_epoch)
    )
    GROUP BY on_lane
)
ORDER BY lane
