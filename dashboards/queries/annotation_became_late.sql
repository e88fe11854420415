-- up to 100 moments in the time range at which a shipment became late: time, timeEnd, text, title, tags
SELECT
    late_since AS time,
    late_since AS timeEnd,
    concat(shipment_id, ' on ', lane) AS text,
    'became late' AS title,
    'late' AS tags
FROM late_shipments
WHERE $__timeFilter(late_since)
    AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
    AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
    AND $__conditionalAll(
        shipment_id IN
        (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
        $supplier
    )
ORDER BY time DESC
LIMIT 100
