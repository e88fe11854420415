-- the 25 shipments that became late last: late_since, shipment_id, lane, carrier, status, promised_at,
-- estimated_at, late_hours, in_hand (yes where somebody acknowledged it)
SELECT
    late_since,
    shipment_id,
    lane,
    carrier,
    status,
    promised_at,
    estimated_at,
    toFloat64(late_hours) AS late_hours,
    if(acknowledged = 1, 'yes', '') AS in_hand
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
LIMIT 25
