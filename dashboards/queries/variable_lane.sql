-- one row per lane that any shipment takes: lane
SELECT DISTINCT lane
FROM shipments_now
ORDER BY lane
