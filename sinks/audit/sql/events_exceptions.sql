-- The events behind exceptions: what was said last of their shipments, of their positions, and of shipments that bring
-- goods there. Rows: (entity, source, event_id,
-- epoch, topic, partition, offset).
SELECT name AS entity, toString(source), event_id, epoch, 'shipment.events' AS topic, partition, offset
FROM shipment_events
INNER JOIN
(
    SELECT name, substring(name, position(name, '/shipment/') + 10) AS shipment_id
    FROM (SELECT arrayJoin({entities:Array(String)}) AS name)
    WHERE position(name, '/shipment/') > 0
) AS open USING (shipment_id)
WHERE type = 'milestone'
ORDER BY recorded_at DESC
LIMIT {most:UInt32} BY name
UNION ALL
SELECT name AS entity, toString(source), event_id, epoch, 'shipment.events' AS topic, partition, offset
FROM shipment_events
INNER JOIN
(
    SELECT name, shipment_id
    FROM
    (
        SELECT shipment_id, arrayJoin(arrayDistinct(arrayMap(item -> concat(destination, '|', item), lines.item))) AS place
        FROM shipment_status FINAL
        WHERE epoch = (SELECT epoch FROM current_epoch)
    ) AS brings
    INNER JOIN
    (
        SELECT name, substring(name, position(name, '/stock/') + 7) AS place
        FROM (SELECT arrayJoin({entities:Array(String)}) AS name)
        WHERE position(name, '/stock/') > 0
    ) AS open ON open.place = brings.place
) AS bringing USING (shipment_id)
WHERE type = 'milestone'
ORDER BY recorded_at DESC
LIMIT {most:UInt32} BY name
UNION ALL
SELECT name AS entity, toString(source), event_id, epoch, 'warehouse.events' AS topic, partition, offset
FROM warehouse_events
INNER JOIN
(
    SELECT name, substring(name, position(name, '/stock/') + 7) AS place
    FROM (SELECT arrayJoin({entities:Array(String)}) AS name)
    WHERE position(name, '/stock/') > 0
) AS open ON open.place = concat(site, '|', item)
ORDER BY recorded_at DESC
LIMIT {most:UInt32} BY name
