-- Every warehouse event (site, item, source, event_id). is_old: all statements of it arrived before the cutoff.
-- said: what counts of it; counts: it is in the figures. is_opening: an earlier run made it. What was said of an event after
-- an earlier run had dropped it is left out.
SELECT
    site,
    item,
    source,
    event_id,
    max(appended_at) < fromUnixTimestamp64Milli({cutoff:Int64}) AS is_old,
    max(epoch) = 0 AS is_opening,
    uniqExactIf((epoch, partition, offset), applied) AS statements,
    argMaxIf(
        (
            occurred_at,
            toUInt8(indexOf(
                [
                    'received', 'returned', 'moved_in', 'put_away', 'restored', 'released', 'adjusted', 'reserved',
                    'picked', 'packed', 'quarantined', 'shipped', 'moved_out', 'scrapped', 'counted'
                ],
                if(type = 'moved', concat('moved_', direction), toString(type))
            ) - 1),
            quantity_thousandths,
            toString(unit),
            references['shipment_id'],
            if(type IN ('received', 'put_away'), JSONExtractString(raw, 'lot'), ''),
            retracted
        ),
        (recorded_at, retracted, content_hash),
        applied
    ) AS said,
    max(applied) = 1 AND said.7 = 0 AS counts
FROM
(
    SELECT
        site, item, toString(source) AS source, event_id, epoch, partition, offset, appended_at, recorded_at,
        occurred_at, retracted, content_hash, type, direction, quantity_thousandths, unit, references, raw,
        (epoch, partition, offset) NOT IN ({{unapplied:warehouse.events}}) AS applied
    FROM warehouse_events
    WHERE cityHash64(site, item) % {slices:UInt32} = {slice:UInt32} AND NOT (epoch = 0 AND partition = 1)
        AND (epoch = 0 OR sipHash64(entity, toString(source), event_id) NOT IN ({{forgotten:warehouse.events}}))
)
GROUP BY site, item, source, event_id
