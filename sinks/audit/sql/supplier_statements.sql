-- Of every supplier event the statement that counts and is not retracted, see warehouse_statements.sql.
-- `seq`: its place in the order in which an order's events are taken: placed first, then by time, step and identity.
SELECT
    order_id,
    toUInt8(indexOf(
        ['order_placed', 'order_confirmed', 'order_changed', 'advance_ship_notice', 'order_cancelled', 'order_closed'],
        toString(type)
    ) - 1) AS step,
    toUnixTimestamp64Milli(occurred_at) AS occurred,
    precision = 'day' AS by_day,
    raw,
    (step > 0, occurred, step, toString(source), event_id) AS seq
FROM
(
    SELECT order_id, source, event_id, type, occurred_at, precision, raw, retracted
    FROM supplier_events
    WHERE {{supplier_scope}} AND (epoch, partition, offset) NOT IN ({{unapplied:supplier.events}})
        AND {{remembered:supplier.events}}
    ORDER BY order_id, source, event_id, recorded_at DESC, retracted DESC, content_hash DESC
    LIMIT 1 BY order_id, source, event_id
)
WHERE retracted = 0
