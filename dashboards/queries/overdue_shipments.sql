-- one row: overdue, shipments with a planned milestone that was not reported in time, not acknowledged
SELECT uniqExact(shipment_id) AS overdue
FROM shipment_milestones
WHERE overdue_now = 1
    AND concat('overdue_milestone/shipment/', shipment_id) NOT IN (SELECT exception_id FROM acknowledgements_now)
    AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
    AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
    AND $__conditionalAll(
        shipment_id IN
        (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
        $supplier
    )
