-- Of orders that have ended and were quiet since before the cutoff: superseded statements and repeats go first (1), then
-- what was retracted (2).
SELECT {run:UInt64} AS run, 'supplier_events' AS of_table, if(is_first, 2, 1) AS phase, 'supplier.events' AS topic, epoch, partition, offset
FROM
(
    SELECT
        epoch, partition, offset, retracted,
        row_number() OVER (
            PARTITION BY order_id, source, event_id
            ORDER BY recorded_at DESC, retracted DESC, content_hash DESC, epoch, partition, offset
        ) = 1 AS is_first
    FROM
    (
        SELECT DISTINCT
            order_id, toString(source) AS source, event_id, recorded_at, retracted, content_hash, epoch, partition, offset
        FROM supplier_events
        WHERE (epoch, partition, offset) NOT IN ({{unapplied:supplier.events}})
            AND sipHash64(entity, toString(source), event_id) NOT IN ({{forgotten:supplier.events}})
            AND order_id IN
            (
                SELECT order_id
                FROM order_status FINAL
                WHERE epoch = (SELECT epoch FROM current_epoch) AND gone = 0 AND final = 1
            )
            AND order_id IN
            (
                SELECT order_id
                FROM supplier_events
                WHERE cityHash64(order_id) % {slices:UInt32} = {slice:UInt32}
                GROUP BY order_id
                HAVING max(appended_at) < fromUnixTimestamp64Milli({cutoff:Int64})
            )
    )
)
WHERE NOT is_first OR retracted
