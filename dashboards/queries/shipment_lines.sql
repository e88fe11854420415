-- one row per order line that the chosen shipment brings: order_id, line_id, supplier, item, ordered, shipped,
-- delivered, unit, promised_at, delivered_at, line_status, late_days
SELECT
    order_id,
    line_id,
    supplier,
    item,
    ordered,
    shipped,
    delivered,
    unit,
    promised_at,
    delivered_at,
    status AS line_status,
    toFloat64(late_days) AS late_days
FROM order_lines_now
WHERE order_id IN (SELECT arrayJoin(orders) FROM shipments_now WHERE shipment_id = ${shipment_id:singlequote})
    AND has(shipments, ${shipment_id:singlequote})
ORDER BY order_id, line_id
LIMIT 500
