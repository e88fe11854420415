-- the 50 open exceptions that opened last: opened_at, kind, shipment_id, lane, carrier, site, item, detail,
-- in_hand (who acknowledged it), until, note, exception_id
SELECT
    opened_at,
    kind,
    if(entity_kind = 'shipment', entity, '') AS shipment_id,
    lane,
    carrier,
    site,
    item,
    detail,
    acknowledged_by AS in_hand,
    if(acknowledged = 1, acknowledged_until, NULL) AS until,
    note,
    exception_id
FROM exceptions_open
WHERE 1 = 1
    AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
    AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
    AND $__conditionalAll(
        entity IN
        (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
        $supplier
    )
ORDER BY acknowledged, opened_at DESC
LIMIT 50
