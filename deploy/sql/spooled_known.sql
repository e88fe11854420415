-- Which of some accepted records the history holds already, in time or late: topic and hash of the bytes, in hex.
WITH
    (SELECT groupArray(unhex(hash)) FROM (SELECT arrayJoin({hashes:Array(String)}) AS hash)) AS wanted,
    positions AS
    (
        SELECT
            substring(entity, 1, position(entity, '|') - 1) AS site,
            substring(entity, position(entity, '|') + 1) AS item
        FROM (SELECT arrayJoin({entities:Array(String)}) AS entity)
    )
SELECT DISTINCT topic, hex(content_hash) AS hash
FROM
(
    SELECT 'supplier.events' AS topic, content_hash FROM supplier_events WHERE order_id IN ({entities:Array(String)})
    UNION ALL
    SELECT 'shipment.events', content_hash FROM shipment_events WHERE shipment_id IN ({entities:Array(String)})
    UNION ALL
    SELECT 'warehouse.events', content_hash FROM warehouse_events WHERE (site, item) IN (SELECT site, item FROM positions)
    UNION ALL
    SELECT 'reference.events', content_hash FROM reference_events WHERE entity IN ({entities:Array(String)})
    UNION ALL
    SELECT 'operator.events', content_hash FROM operator_events WHERE entity IN ({entities:Array(String)})
)
WHERE has(wanted, toString(content_hash))
