-- the reported milestones of the chosen shipment, else of the 12 that became late last: time, shipment_id,
-- status; in the order of time
SELECT occurred_at AS time, shipment_id, milestone AS status
FROM shipment_events_now
WHERE classifier = 'actual'
    AND milestone != ''
    AND shipment_id IN
    (
        SELECT shipment_id
        FROM
        (
            SELECT shipment_id
            FROM late_shipments
            WHERE ${shipment_id:singlequote} = ''
                AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
                AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
            ORDER BY late_since DESC, shipment_id
            LIMIT 12
        )
        UNION ALL
        SELECT ${shipment_id:singlequote} AS shipment_id
    )
ORDER BY time, shipment_id
LIMIT 1000
