-- up to 300 planned milestones that were not reported in time, the oldest first: planned_at, shipment_id, lane,
-- carrier, leg, milestone, location, overdue_hours
SELECT
    planned_at,
    shipment_id,
    lane,
    carrier,
    leg,
    milestone,
    location,
    dateDiff('second', assumeNotNull(planned_due_at), now64(3, 'UTC')) / 3600 AS overdue_hours
FROM milestones_overdue
WHERE 1 = 1
    AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
    AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
    AND $__conditionalAll(
        shipment_id IN
        (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
        $supplier
    )
ORDER BY planned_due_at, shipment_id, leg, milestone
LIMIT 300
