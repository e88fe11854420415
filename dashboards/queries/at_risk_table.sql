-- up to 300 shipments that are expected after their promise, not acknowledged and latest first: shipment_id, lane,
-- carrier, status, due_at, expected_at, basis, hours_late_expected, in_hand, exception_id
SELECT
    shipment_id,
    lane,
    carrier,
    status,
    due_at,
    expected_at,
    basis,
    toFloat64(hours_late_expected) AS hours_late_expected,
    if(acknowledged = 1, 'yes', '') AS in_hand,
    exception_id
FROM at_risk_shipments
WHERE 1 = 1
    AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
    AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
    AND $__conditionalAll(
        shipment_id IN
        (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
        $supplier
    )
ORDER BY acknowledged, hours_late_expected DESC, shipment_id
LIMIT 300
