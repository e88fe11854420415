-- up to 200 supplier and warehouse events behind the chosen shipment's orders and goods, the newest statement first:
-- recorded_at, occurred_at, stream, type, about, source, event_id, withdrawn, appended_at, coordinate, raw_event
WITH
    (
        SELECT (groupArrayArray(orders), groupArrayArray([origin, destination]))
        FROM shipments_now
        WHERE shipment_id = ${shipment_id:singlequote}
    ) AS shipped,
    (
        SELECT groupUniqArrayArray(lines.item)
        FROM order_status FINAL
        PREWHERE epoch = (SELECT epoch FROM current_epoch) AND order_id IN (SELECT arrayJoin(shipped.1))
    ) AS items
SELECT *
FROM
(
    SELECT
        recorded_at, occurred_at, 'supplier.events' AS stream, toString(type) AS type, order_id AS about,
        toString(source) AS source, event_id, if(retracted, 'yes', '') AS withdrawn, appended_at,
        concat(toString(epoch), '/', toString(partition), '/', toString(offset)) AS coordinate,
        toValidUTF8(raw) AS raw_event
    FROM supplier_events FINAL
    PREWHERE order_id IN (SELECT arrayJoin(shipped.1))
    UNION ALL
    SELECT
        recorded_at, occurred_at, 'warehouse.events' AS stream, toString(type) AS type, concat(site, '|', item) AS about,
        toString(source) AS source, event_id, if(retracted, 'yes', '') AS withdrawn, appended_at,
        concat(toString(epoch), '/', toString(partition), '/', toString(offset)) AS coordinate,
        toValidUTF8(raw) AS raw_event
    FROM warehouse_events FINAL
    PREWHERE site IN (SELECT arrayJoin(shipped.2)) AND item IN (SELECT arrayJoin(items))
    WHERE references['shipment_id'] = ${shipment_id:singlequote}
)
ORDER BY recorded_at DESC, event_id
LIMIT 200
