-- one row: overdue, the number of planned milestones of open shipments that are past and were not reached
SELECT count() AS overdue
FROM shipment_milestones
WHERE overdue_now = 1
    AND shipment_id IN
    (
        SELECT shipment_id
        FROM shipments_now
        WHERE open = 1
            AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
            AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
    )
