-- one row: late_share, the share of open shipments that are past due now (0 to 1); NULL if none is open
SELECT countIf(late_now = 1) / nullIf(count(), 0) AS late_share
FROM shipments_now
WHERE open = 1
    AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
    AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
    AND $__conditionalAll(
        shipment_id IN
        (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
        $supplier
    )
