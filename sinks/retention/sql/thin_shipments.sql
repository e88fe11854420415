-- Of shipments that have ended and were quiet since before the cutoff: superseded statements and repeats go first (1),
-- then (2) what was retracted, all positions but the last, and readings where no excursion is open.
SELECT {run:UInt64} AS run, 'shipment_events' AS of_table, if(is_first, 2, 1) AS phase, 'shipment.events' AS topic, epoch, partition, offset
FROM
(
    SELECT
        shipment_id, type, occurred_at, epoch, partition, offset, retracted,
        row_number() OVER (
            PARTITION BY shipment_id, source, event_id
            ORDER BY recorded_at DESC, retracted DESC, content_hash DESC, epoch, partition, offset
        ) = 1 AS is_first,
        maxIf(occurred_at, type = 'position' AND is_live) OVER (PARTITION BY shipment_id) AS last_seen,
        is_live
    FROM
    (
        SELECT
            shipment_id, source, event_id, type, occurred_at, recorded_at, retracted, content_hash, epoch, partition, offset,
            -- Whether it counts: nothing greater was said of its event, and it is not retracted.
            retracted = 0 AND (recorded_at, retracted, content_hash) = max((recorded_at, retracted, content_hash))
                OVER (PARTITION BY shipment_id, source, event_id) AS is_live
        FROM
        (
            SELECT DISTINCT
                shipment_id, toString(source) AS source, event_id, toString(type) AS type, occurred_at, recorded_at,
                retracted, content_hash, epoch, partition, offset
            FROM shipment_events
            WHERE (epoch, partition, offset) NOT IN ({{unapplied:shipment.events}})
                AND sipHash64(entity, toString(source), event_id) NOT IN ({{forgotten:shipment.events}})
                AND shipment_id IN
                (
                    SELECT shipment_id
                    FROM shipment_status FINAL
                    WHERE epoch = (SELECT epoch FROM current_epoch) AND gone = 0 AND final = 1
                )
                AND shipment_id IN
                (
                    SELECT shipment_id
                    FROM shipment_events
                    WHERE cityHash64(shipment_id) % {slices:UInt32} = {slice:UInt32}
                    GROUP BY shipment_id
                    HAVING max(appended_at) < fromUnixTimestamp64Milli({cutoff:Int64})
                )
        )
    )
)
WHERE NOT is_first
    OR retracted
    OR (type = 'position' AND occurred_at < last_seen)
    OR
    (
        type = 'condition' AND shipment_id NOT IN
        (
            SELECT substring(s.entity, length('shipment/') + 1)
            FROM exceptions AS s FINAL
            WHERE s.epoch = (SELECT epoch FROM current_epoch) AND has(s.open.kind, 'condition_excursion')
        )
    )
