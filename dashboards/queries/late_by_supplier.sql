-- one row per supplier with a late shipment, the worst 20 first: supplier, late (not acknowledged)
SELECT o.supplier AS supplier, uniqExact(s.shipment_id) AS late
FROM
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
) AS s
INNER JOIN (SELECT order_id, supplier FROM orders_now WHERE supplier != '') AS o ON o.order_id = s.order_id
GROUP BY supplier
ORDER BY late DESC, supplier
LIMIT 20
