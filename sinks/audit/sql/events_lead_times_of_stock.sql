-- The events behind dock-to-stock times: what a site received and put away. Rows: (entity, source, event_id, epoch, topic,
-- partition, offset).
SELECT concat('dock_to_stock|', site) AS entity, toString(source), event_id, epoch, 'warehouse.events' AS topic, partition, offset
FROM warehouse_events
WHERE concat('dock_to_stock|', site) IN {entities:Array(String)} AND type IN ('received', 'put_away')
ORDER BY recorded_at DESC
LIMIT {most:UInt32} BY entity
