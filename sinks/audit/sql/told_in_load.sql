-- Shipments of which something was told since a load of history began that goes on: what time has opened for them is
-- told after it. None where no load goes on, and then nothing is read.
SELECT shipment_id
FROM shipment_events
WHERE appended_at >= ifNull(
    (SELECT minOrNull(began_at) FROM loads_running), toDateTime64('2299-01-01 00:00:00', 3, 'UTC')
)
