-- One row per shipment: (entity, figures), the figures in the order of shipments_published.sql.
SELECT
    shipment_id AS entity,
    (
        status, leg, final, carrier, mode, origin, destination, lane, promised_at, due_at, estimated_at, departed_at,
        delivered_at, late, late_ms, latitude_micros, longitude_micros, seen_at, orders, findings, milestones, lines
    ) AS figures
FROM {{shipments}}
WHERE {{scope}}
