-- Of each order line from the date of order to the delivery that completed it, by the order lines as they were published,
-- which orders_figures.sql holds against the history. One observation a row: (measure, route, day, duration).
SELECT
    'order_to_delivery' AS measure,
    concat(supplier, '|', line.item) AS route,
    toInt32(floor(toUnixTimestamp64Milli(assumeNotNull(line.delivered_at)) / 86400000)) AS day,
    toUnixTimestamp64Milli(assumeNotNull(line.delivered_at)) - toUnixTimestamp64Milli(assumeNotNull(line.ordered_at))
        AS duration
FROM order_status AS s FINAL
ARRAY JOIN s.lines AS line
WHERE s.epoch = (SELECT epoch FROM current_epoch) AND s.gone = 0 AND s.supplier != ''
    AND line.ordered_at IS NOT NULL AND line.delivered_at IS NOT NULL
