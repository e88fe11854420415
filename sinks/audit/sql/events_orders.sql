-- The events behind orders: their own, and those of shipments that hold lines of them. Rows: (entity, source, event_id,
-- epoch, topic, partition, offset).
SELECT entity, toString(source), event_id, epoch, 'supplier.events' AS topic, partition, offset
FROM supplier_events
WHERE order_id IN {entities:Array(String)}
ORDER BY recorded_at DESC
LIMIT {most:UInt32} BY entity
UNION ALL
SELECT order_id AS entity, toString(source), event_id, epoch, 'shipment.events' AS topic, partition, offset
FROM shipment_events
INNER JOIN
(
    SELECT shipment_id, arrayJoin(orders) AS order_id
    FROM shipment_status FINAL
    WHERE epoch = (SELECT epoch FROM current_epoch) AND order_id IN {entities:Array(String)}
) AS holds USING (shipment_id)
WHERE type = 'milestone'
ORDER BY recorded_at DESC
LIMIT {most:UInt32} BY entity
