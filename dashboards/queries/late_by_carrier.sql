-- one row per carrier with a late shipment, the worst 20 first: carrier_name, late (not acknowledged)
SELECT if(carrier = '', '?', carrier) AS carrier_name, count() AS late
FROM late_shipments
WHERE acknowledged = 0
    AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
    AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
    AND $__conditionalAll(
        shipment_id IN
        (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
        $supplier
    )
GROUP BY carrier_name
ORDER BY late DESC, carrier_name
LIMIT 20
