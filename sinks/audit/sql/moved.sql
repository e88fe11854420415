-- Events of one identity that were said of several entities: (topic, source, event_id, entities), a thousand at most.
-- By hashes first, which are far cheaper to group by; what they find is looked at by name.
SELECT topic, source, event_id, arraySort([min(entity), max(entity)])
FROM
(
    SELECT 'supplier.events' AS topic, toString(source) AS source, event_id, entity FROM supplier_events
    WHERE cityHash64(source, event_id) IN
    (
        SELECT cityHash64(source, event_id) AS identity FROM supplier_events
        WHERE identity % {slices:UInt32} = {slice:UInt32}
        GROUP BY identity HAVING min(sipHash64(entity)) != max(sipHash64(entity))
    )
    UNION ALL
    SELECT 'shipment.events', toString(source), event_id, entity FROM shipment_events
    WHERE cityHash64(source, event_id) IN
    (
        SELECT cityHash64(source, event_id) AS identity FROM shipment_events
        WHERE identity % {slices:UInt32} = {slice:UInt32}
        GROUP BY identity HAVING min(sipHash64(entity)) != max(sipHash64(entity))
    )
    UNION ALL
    SELECT 'warehouse.events', toString(source), event_id, entity FROM warehouse_events
    WHERE cityHash64(source, event_id) IN
    (
        SELECT cityHash64(source, event_id) AS identity FROM warehouse_events
        WHERE identity % {slices:UInt32} = {slice:UInt32}
        GROUP BY identity HAVING min(sipHash64(entity)) != max(sipHash64(entity))
    )
)
GROUP BY topic, source, event_id
HAVING min(entity) != max(entity)
ORDER BY topic, source, event_id
LIMIT 1000
