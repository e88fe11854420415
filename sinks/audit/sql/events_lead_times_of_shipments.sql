-- The events behind transit times: departures, arrivals and deliveries of the shipments on the route. Rows: (entity,
-- source, event_id, epoch, topic, partition, offset).
SELECT concat(seen, '|', route) AS entity, toString(source), event_id, epoch, 'shipment.events' AS topic, partition, offset
FROM shipment_events
INNER JOIN
(
    SELECT
        shipment_id,
        arrayJoin(arrayConcat(
            [('transit', lane), ('carrier_transit', concat(carrier, '|', lane))],
            arrayMap(
                (out, back) -> ('leg_transit', concat(out, '>', back)),
                milestones.location,
                arrayShiftLeft(milestones.location, 1)
            )
        )) AS told,
        told.1 AS seen,
        told.2 AS route
    FROM shipment_status FINAL
    WHERE epoch = (SELECT epoch FROM current_epoch) AND concat(seen, '|', route) IN {entities:Array(String)}
) AS travelled USING (shipment_id)
WHERE classifier = 'actual' AND milestone IN ('picked_up', 'departed', 'arrived', 'delivered')
ORDER BY recorded_at DESC
LIMIT {most:UInt32} BY entity
