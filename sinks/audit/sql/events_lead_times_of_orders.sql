-- The events behind times from order to delivery: what was said of the orders of the route's supplier and item. Rows:
-- (entity, source, event_id, epoch, topic, partition, offset).
SELECT route AS entity, toString(source), event_id, epoch, 'supplier.events' AS topic, partition, offset
FROM supplier_events
INNER JOIN
(
    SELECT order_id, arrayJoin(arrayDistinct(arrayMap(item -> concat('order_to_delivery|', supplier, '|', item), lines.item))) AS route
    FROM order_status FINAL
    WHERE epoch = (SELECT epoch FROM current_epoch) AND route IN {entities:Array(String)}
) AS ordered USING (order_id)
ORDER BY recorded_at DESC
LIMIT {most:UInt32} BY entity
