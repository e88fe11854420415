-- up to 200 supplier and warehouse events behind the chosen shipment's orders and goods, the newest statement first:
-- recorded_at, occurred_at, stream, type, about, source, event_id, withdrawn, appended_at, coordinate, raw_event
SELECT *
FROM
(
    SELECT
        recorded_at, occurred_at, 'supplier.events' AS stream, toString(type) AS type, order_id AS about,
        toString(source) AS source, event_id, if(retracted, 'yes', '') AS withdrawn, appended_at,
        concat(toString(epoch), '/', toString(partition), '/', toString(offset)) AS coordinate,
        toValidUTF8(raw) AS raw_event
    FROM supplier_events FINAL
    WHERE order_id IN (SELECT arrayJoin(orders) FROM shipments_now WHERE shipment_id = ${shipment_id:singlequote})
    UNION ALL
    SELECT
        recorded_at, occurred_at, 'warehouse.events' AS stream, toString(type) AS type, concat(site, '|', item) AS about,
        toString(source) AS source, event_id, if(retracted, 'yes', '') AS withdrawn, appended_at,
        concat(toString(epoch), '/', toString(partition), '/', toString(offset)) AS coordinate,
        toValidUTF8(raw) AS raw_event
    FROM warehouse_events FINAL
    WHERE (site, item) IN
        (
            SELECT arrayJoin([s.origin, s.destination]) AS at, l.item
            FROM
            (
                SELECT origin, destination, arrayJoin(orders) AS order_id
                FROM shipments_now
                WHERE shipment_id = ${shipment_id:singlequote}
            ) AS s
            INNER JOIN
            (
                SELECT order_id, item
                FROM order_lines_now
                WHERE order_id IN
                (SELECT arrayJoin(orders) FROM shipments_now WHERE shipment_id = ${shipment_id:singlequote})
            ) AS l
                ON l.order_id = s.order_id
        )
        AND references['shipment_id'] = ${shipment_id:singlequote}
)
ORDER BY recorded_at DESC, event_id
LIMIT 200
