-- one row: late, the number of late shipments that nobody has acknowledged
SELECT count() AS late
FROM late_shipments
WHERE acknowledged = 0
    AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
    AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
    AND $__conditionalAll(
        shipment_id IN
        (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
        $supplier
    )
