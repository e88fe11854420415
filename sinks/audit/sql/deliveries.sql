-- What shipments tell of order lines: (order_id, line_id, arrival), the arrival as (shipment_id, number, item, unit,
-- shipped, delivered, delivered_at, promised_at, due_at). Shipped counts once the goods have left and have not come back.
SELECT
    line.3 AS order_id,
    if(line.4 = '', line.1, line.4) AS line_id,
    (
        shipment_id, number, line.1, line.2, if(moving AND NOT turned_back, line.5, 0), line.6, line.7, line.8, line.9
    ) AS arrival
FROM {{shipments}}
ARRAY JOIN lines AS line, arrayEnumerate(lines) AS number
WHERE line.3 != ''
