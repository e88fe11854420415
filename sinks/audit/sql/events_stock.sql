-- The events behind positions: movements, and what was said of shipments that bring the item to the site. Rows: (entity,
-- source, event_id, epoch, topic, partition, offset).
SELECT entity, toString(source), event_id, epoch, 'warehouse.events' AS topic, partition, offset
FROM warehouse_events
WHERE concat(site, '|', item) IN {entities:Array(String)}
ORDER BY recorded_at DESC
LIMIT {most:UInt32} BY entity
UNION ALL
SELECT place AS entity, toString(source), event_id, epoch, 'shipment.events' AS topic, partition, offset
FROM shipment_events
INNER JOIN
(
    SELECT shipment_id, arrayJoin(arrayDistinct(arrayMap(item -> concat(destination, '|', item), lines.item))) AS place
    FROM shipment_status FINAL
    WHERE epoch = (SELECT epoch FROM current_epoch) AND place IN {entities:Array(String)}
) AS brings USING (shipment_id)
WHERE type = 'milestone'
ORDER BY recorded_at DESC
LIMIT {most:UInt32} BY entity
