-- Note the movements that become openings.
INSERT INTO retention_movements
SELECT {run:UInt64}, site, item, occurred_at, kind, source, event_id, quantity, unit, shipment_id, lot, counts
FROM ({{foldable}})
