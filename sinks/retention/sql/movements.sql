-- The movements that count, of each position in the order in which they are taken, and all others behind.
SELECT
    site, item, source, event_id, toUnixTimestamp64Milli(occurred_at), kind, quantity, unit, shipment_id, lot, counts
FROM retention_movements
WHERE run = {run:UInt64} AND cityHash64(site, item) % {parts:UInt32} = {part:UInt32}
ORDER BY run, site, item, occurred_at, kind, source, event_id
