-- up to 200 open exceptions in which what came is not what was shipped: opened_at, shipment_id, site, item, detail,
-- in_hand, exception_id
SELECT
    opened_at,
    if(entity_kind = 'shipment', entity, '') AS shipment_id,
    site,
    item,
    detail,
    acknowledged_by AS in_hand,
    exception_id
FROM exceptions_open
WHERE kind = 'quantity_mismatch'
    AND $__conditionalAll(
        entity IN
        (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
        $supplier
    )
ORDER BY acknowledged, opened_at, exception_id
LIMIT 200
