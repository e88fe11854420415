-- What the openings stand for goes: all statements of those events that are old.
INSERT INTO retention_dropping
SELECT DISTINCT {run:UInt64}, 'warehouse_events', 1, 'warehouse.events', epoch, partition, offset
FROM warehouse_events
WHERE appended_at < fromUnixTimestamp64Milli({cutoff:Int64})
    AND (site, item, toString(source), event_id) IN
    (
        SELECT site, item, source, event_id
        FROM retention_movements
        WHERE run = {run:UInt64} AND (site, item) IN (SELECT site, item FROM retention_openings WHERE partition = 0)
    )
