-- Each time that a dead letter was sent again: where it stood then, and what it is there. `entity` and the next two are
-- empty where it is no event of the history, `dead` and `late` are the reasons where it is dead again or came too late.
WITH places AS
(
    SELECT toString(topic) AS topic, epoch, partition, offset, max(handled_at) AS handled_at
    FROM handled_records
    WHERE kind = 'dead' AND first_topic = {topic:String} AND first_epoch = {epoch:UInt64}
        AND first_partition = {partition:UInt32} AND first_offset = {offset:UInt64}
    GROUP BY topic, epoch, partition, offset
),
stored AS
(
    SELECT 'supplier.events' AS topic, epoch, partition, offset, entity, source, event_id FROM supplier_events
    WHERE (epoch, partition, offset) IN (SELECT epoch, partition, offset FROM places)
    UNION ALL
    SELECT 'shipment.events' AS topic, epoch, partition, offset, entity, source, event_id FROM shipment_events
    WHERE (epoch, partition, offset) IN (SELECT epoch, partition, offset FROM places)
    UNION ALL
    SELECT 'warehouse.events' AS topic, epoch, partition, offset, entity, source, event_id FROM warehouse_events
    WHERE (epoch, partition, offset) IN (SELECT epoch, partition, offset FROM places)
    UNION ALL
    SELECT 'reference.events' AS topic, epoch, partition, offset, entity, source, event_id FROM reference_events
    WHERE (epoch, partition, offset) IN (SELECT epoch, partition, offset FROM places)
    UNION ALL
    SELECT 'operator.events' AS topic, epoch, partition, offset, entity, source, event_id FROM operator_events
    WHERE (epoch, partition, offset) IN (SELECT epoch, partition, offset FROM places)
)
SELECT
    places.epoch, places.topic, places.partition, places.offset, toUnixTimestamp64Milli(places.handled_at),
    any(stored.entity), any(stored.source), any(stored.event_id), any(dead.reason), any(late.reason)
FROM places
LEFT JOIN stored ON stored.topic = places.topic AND stored.epoch = places.epoch
    AND stored.partition = places.partition AND stored.offset = places.offset
LEFT JOIN dead_letter_records AS dead ON dead.topic = places.topic AND dead.epoch = places.epoch
    AND dead.partition = places.partition AND dead.offset = places.offset
LEFT JOIN late_event_records AS late ON late.topic = places.topic AND late.epoch = places.epoch
    AND late.partition = places.partition AND late.offset = places.offset
GROUP BY places.epoch, places.topic, places.partition, places.offset, places.handled_at
ORDER BY places.handled_at, places.epoch, places.topic, places.partition, places.offset
