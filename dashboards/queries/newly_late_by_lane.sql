-- one row per lane on which a shipment became late in the last 15 minutes, the worst 20 first: lane, newly_late
SELECT lane, count() AS newly_late
FROM late_shipments
WHERE acknowledged = 0
    AND late_since >= now64(3, 'UTC') - INTERVAL 15 MINUTE
    AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
    AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
    AND $__conditionalAll(
        shipment_id IN
        (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
        $supplier
    )
GROUP BY lane
ORDER BY newly_late DESC, lane
LIMIT 20
