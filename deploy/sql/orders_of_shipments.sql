-- The orders whose lines these shipments carry, by what the agents published and by what was said of them.
SELECT DISTINCT order_id
FROM
(
    SELECT arrayJoin(orders) AS order_id
    FROM shipments_now
    WHERE shipment_id IN ({shipments:Array(String)})
    UNION ALL
    SELECT arrayJoin(JSONExtract(raw, 'lines', 'Array(Tuple(order_id Nullable(String)))')).1 AS order_id
    FROM shipment_events
    WHERE shipment_id IN ({shipments:Array(String)})
    UNION ALL
    SELECT references['order_id'] AS order_id
    FROM shipment_events
    WHERE shipment_id IN ({shipments:Array(String)})
)
WHERE isNotNull(order_id) AND order_id != ''
ORDER BY order_id
