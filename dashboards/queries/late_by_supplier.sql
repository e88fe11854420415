-- one row per supplier with a late shipment, the worst 20 first: supplier, late (not acknowledged)
SELECT o.supplier AS supplier, uniqExact(s.shipment_id) AS late
FROM orders_now AS o
INNER JOIN
(
    SELECT shipment_id, arrayJoin(orders) AS order_id
    FROM late_shipments
    WHERE acknowledged = 0
        AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
        AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
        AND $__conditionalAll(
            shipment_id IN
            (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
            $supplier
        )
) AS s ON s.order_id = o.order_id
WHERE o.supplier != ''
GROUP BY supplier
ORDER BY late DESC, supplier
LIMIT 20
