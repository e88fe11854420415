-- The fact topics of agents that hold something of an entity.
SELECT 'supplier.events' AS topic FROM supplier_events WHERE order_id = {entity:String} LIMIT 1
UNION ALL
SELECT 'shipment.events' AS topic FROM shipment_events WHERE shipment_id = {entity:String} LIMIT 1
UNION ALL
SELECT 'warehouse.events' AS topic
FROM warehouse_events
WHERE site = splitByChar('|', {entity:String})[1]
    AND item = substring({entity:String}, length(splitByChar('|', {entity:String})[1]) + 2)
LIMIT 1
