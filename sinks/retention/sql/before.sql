-- The movements that the openings stand for.
SELECT
    site, item, toUnixTimestamp64Milli(occurred_at) AS occurred, kind, source, event_id, quantity, unit AS own_unit,
    shipment_id
FROM retention_movements
WHERE run = {run:UInt64} AND counts AND (site, item) IN (SELECT site, item FROM retention_openings WHERE partition = 0)
