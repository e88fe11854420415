-- one row per bucket and direction: time, direction, shipments (under way since then, or delivered then)
SELECT $__timeInterval(at) AS time, direction, count() AS shipments
FROM
(
    SELECT assumeNotNull(departed_at) AS at, 'departed' AS direction
    FROM shipments_now
    WHERE departed_at IS NOT NULL
        AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
        AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
        AND $__conditionalAll(
            shipment_id IN
            (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
            $supplier
        )
    UNION ALL
    SELECT assumeNotNull(delivered_at) AS at, 'delivered' AS direction
    FROM shipments_now
    WHERE delivered_at IS NOT NULL
        AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
        AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
        AND $__conditionalAll(
            shipment_id IN
            (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
            $supplier
        )
)
WHERE $__timeFilter(at)
GROUP BY time, direction
ORDER BY time, direction
