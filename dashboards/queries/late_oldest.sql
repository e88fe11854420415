-- one row: hours, how long the shipment that is late the longest is past its promise; NULL if none is late
SELECT if(count() = 0, NULL, max(toFloat64(late_hours))) AS hours
FROM late_shipments
WHERE 1 = 1
    AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
    AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
    AND $__conditionalAll(
        shipment_id IN
        (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
        $supplier
    )
