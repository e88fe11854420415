-- Of each order line from the date of order to the delivery that completed it, by what was said of orders and shipments;
-- of orders that had closed when a shipment told something new, which was not applied, by the lines as they were
-- published. One observation a row: (measure, route, day, duration). A multiIf and no AND: see shipments.sql.
SELECT
    'order_to_delivery' AS measure,
    concat(supplier, '|', item) AS route,
    toInt32(floor(delivered / 86400000)) AS day,
    delivered - ordered AS duration
FROM
(
    SELECT
        supplier, item, assumeNotNull(delivered_at) AS delivered, assumeNotNull(ordered_at) AS ordered
    FROM {{order_lines_delivered}}
    WHERE multiIf(
        line_id = '', 0, supplier = '', 0, ordered_at IS NULL, 0, delivered_at IS NULL, 0,
        order_id NOT IN (SELECT order_id FROM {{closed_orders}})
    )
    UNION ALL
    SELECT
        s.supplier, line.item,
        toUnixTimestamp64Milli(assumeNotNull(line.delivered_at)), toUnixTimestamp64Milli(assumeNotNull(line.ordered_at))
    FROM order_status AS s FINAL
    ARRAY JOIN s.lines AS line
    WHERE s.epoch = (SELECT epoch FROM current_epoch) AND s.gone = 0 AND s.supplier != ''
        AND line.ordered_at IS NOT NULL AND line.delivered_at IS NOT NULL
        AND s.order_id IN (SELECT order_id FROM {{closed_orders}})
)
