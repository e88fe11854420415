-- Of every shipment event the statement that counts and is not retracted, see warehouse_statements.sql.
-- `told`: its place in the order in which statements were told, as bytes that compare as (recorded_at, content_hash).
-- `place`: leg * 16 + the milestone's rank, 0 for what is no milestone. `said_as`: 1 planned, 2 estimated, 3 actual.
SELECT
    shipment_id,
    toString(type) AS kind,
    toUnixTimestamp64Milli(occurred_at) AS occurred,
    precision = 'day' AS by_day,
    toUInt8(indexOf(['planned', 'estimated', 'actual'], toString(classifier))) AS said_as,
    if(
        type = 'milestone',
        toUInt16(leg * 16 + indexOf(
            [
                'booked', 'at_pickup', 'picked_up', 'gate_in', 'loaded', 'departed', 'arrived', 'discharged',
                'customs_hold', 'customs_released', 'available', 'out_for_delivery', 'delivered', 'returned',
                'empty_returned', 'cancelled'
            ],
            toString(milestone)
        ) - 1),
        0
    ) AS place,
    references['order_id'] AS order_id,
    raw,
    concat(
        reverse(reinterpretAsFixedString(toUInt64(toUnixTimestamp64Milli(recorded_at) + 4611686018427387904))),
        content_hash
    ) AS told
FROM
(
    SELECT
        shipment_id, source, event_id, type, occurred_at, recorded_at, precision, classifier, leg, milestone, references,
        raw, retracted, content_hash
    FROM shipment_events
    WHERE {{shipment_scope}} AND (epoch, partition, offset) NOT IN ({{unapplied:shipment.events}})
        AND {{remembered:shipment.events}}
    ORDER BY shipment_id, source, event_id, recorded_at DESC, retracted DESC, content_hash DESC
    LIMIT 1 BY shipment_id, source, event_id
)
WHERE retracted = 0
