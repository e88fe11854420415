-- one row per lane with a late shipment, the worst 20 first: lane, late (not acknowledged)
SELECT lane, count() AS late
FROM late_shipments
WHERE acknowledged = 0
    AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
    AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
    AND $__conditionalAll(
        shipment_id IN
        (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
        $supplier
    )
GROUP BY lane
ORDER BY late DESC, lane
LIMIT 20
