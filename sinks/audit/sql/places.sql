-- Every coordinate of a fact topic that the store accounts for: in a fact table, dead, replayed, or dropped by retention; some more
-- than once.
SELECT epoch, 'supplier.events' AS topic, partition, offset FROM supplier_events
UNION ALL
SELECT epoch, 'shipment.events' AS topic, partition, offset FROM shipment_events
UNION ALL
SELECT epoch, 'warehouse.events' AS topic, partition, offset FROM warehouse_events
UNION ALL
SELECT epoch, 'reference.events' AS topic, partition, offset FROM reference_events
UNION ALL
SELECT epoch, 'operator.events' AS topic, partition, offset FROM operator_events
UNION ALL
SELECT epoch, toString(topic) AS topic, partition, offset FROM dead_letter_records WHERE origin = '' AND topic IN {topics:Array(String)}
UNION ALL
SELECT epoch, toString(topic) AS topic, partition, offset FROM replayed_records
UNION ALL
SELECT epoch, topic, partition, offset FROM dropped_coordinates
