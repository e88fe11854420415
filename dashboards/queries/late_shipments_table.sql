-- up to 500 late shipments, not acknowledged and longest late first: shipment_id, lane, carrier, mode, status,
-- leg, promised_at, estimated_at, late_hours, lines, late_lines, orders, in_hand, exception_id
SELECT
    shipment_id,
    lane,
    carrier,
    mode,
    status,
    leg,
    promised_at,
    estimated_at,
    toFloat64(late_hours) AS late_hours,
    lines,
    late_lines,
    arrayStringConcat(orders, ', ') AS orders,
    if(acknowledged = 1, 'yes', '') AS in_hand,
    exception_id
FROM late_shipments
WHERE 1 = 1
    AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
    AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
    AND $__conditionalAll(
        shipment_id IN
        (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
        $supplier
    )
ORDER BY acknowledged, late_hours DESC, shipment_id
LIMIT 500
