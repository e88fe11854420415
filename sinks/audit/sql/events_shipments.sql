-- The events behind shipments: (entity, source, event_id, epoch, topic, partition, offset).
SELECT entity, toString(source), event_id, epoch, 'shipment.events' AS topic, partition, offset
FROM shipment_events
WHERE shipment_id IN {entities:Array(String)}
ORDER BY recorded_at DESC
LIMIT {most:UInt32} BY entity
