-- the reported milestones of the 12 shipments that became late last: time, shipment_id, status; in the order of time
SELECT occurred_at AS time, shipment_id, milestone AS status
FROM shipment_events_now
WHERE classifier = 'actual'
    AND milestone != ''
    AND shipment_id IN
    (
        SELECT shipment_id
        FROM late_shipments
        WHERE 1 = 1
            AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
            AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
            AND $__conditionalAll(
                shipment_id IN
                (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
                $supplier
            )
        ORDER BY late_since DESC, shipment_id
        LIMIT 12
    )
ORDER BY time, shipment_id
LIMIT 1000
