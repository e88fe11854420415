-- What there is little of: positions, lead times, exceptions, dead letters, late records, acknowledgements.
INSERT INTO stock_positions
(
    epoch, version, site, item, unit, on_hand, available, in_transit, received, shipped, movements, last_movement_at
)
SELECT
    1, {version:UInt64} + number, concat('SITE-', toString(number % 140)),
    concat('952000', leftPad(toString(number), 7, '0')), 'pcs', 50000, 50000, 1000, 90000, 40000, 800,
    fromUnixTimestamp64Milli({now:Int64}, 'UTC')
FROM numbers({positions:UInt64})
WHERE number % {every:UInt64} = 0;

INSERT INTO lead_stats
SELECT
    1, {version:UInt64} + number, ['order_to_delivery', 'transit', 'carrier_transit', 'dock_to_stock'][1 + number % 4],
    concat('ROUTE-', toString(number)), toDate32(fromUnixTimestamp64Milli({now:Int64}, 'UTC')),
    90, 0, 90 * 86400000, toInt256(90) * 86400000 * 86400000, 86400000, 90000000, 95000000,
    arrayMap(i -> 900 + i, range(45)), arrayMap(i -> 2, range(45)),
    450, 0, 450 * 86400000, toInt256(450) * 86400000 * 86400000, 86400000, 90000000, 95000000,
    arrayMap(i -> 900 + i, range(90)), arrayMap(i -> 5, range(90)), 0, now64(3)
FROM numbers({positions:UInt64})
WHERE number % {every:UInt64} = 0;

INSERT INTO exceptions (epoch, version, entity, open.exception_id, open.kind, open.opened_at, open.detail)
SELECT
    1, {version:UInt64} + number,
    if(number % 2 = 0,
        concat('stock/SITE-', toString(number % 140), '|952000', leftPad(toString(number), 7, '0')),
        concat('shipment/SHP-', toString(100000000 + (number * 7919) % 100000007))) AS of,
    if(number % 20 < 2, [concat(kind, '/', of)], []), if(number % 20 < 2, [kind], []),
    if(number % 20 < 2, [fromUnixTimestamp64Milli({now:Int64} - number * 1000, 'UTC')], []),
    if(number % 20 < 2, ['Something is wrong.'], [])
FROM
(
    SELECT number, if(number % 2 = 0, 'stockout', 'quantity_mismatch') AS kind
    FROM numbers(2 * {positions:UInt64})
    WHERE number % {every:UInt64} = 0
);

INSERT INTO dead_letter_records
    (epoch, topic, partition, offset, origin, appended_at, source, cause, reason, field, key, value)
SELECT
    1, 'shipment.events', number % 4, 1000000000 + number, '',
    fromUnixTimestamp64Milli({now:Int64} - number * intDiv({now:Int64} - {begin:Int64}, {dead:Int64}), 'UTC'),
    concat('carrier-edi-', toString(number % 35)), 'invalid', 'milestone: no such milestone', 'milestone', 'key',
    concat('{"event_id":"', toString(number), '","milestone":"teleported","source":"carrier-edi"}')
FROM numbers({dead:UInt64})
WHERE number % {every:UInt64} = 0;

INSERT INTO late_event_records
    (epoch, topic, partition, offset, appended_at, entity, source, event_id, reason, value)
SELECT
    1, 'warehouse.events', number % 4, 1000000000 + number,
    fromUnixTimestamp64Milli({now:Int64} - number * intDiv({now:Int64} - {begin:Int64}, {dead:Int64}), 'UTC'),
    'SITE-1|952000', 'wms-1', toString(number), 'the day was closed', '{"event_id":"1"}'
FROM numbers({dead:UInt64})
WHERE number % {every:UInt64} = 0;

INSERT INTO operator_events
(
    epoch, partition, offset, appended_at, entity, source, event_id, type, occurred_at, recorded_at, offset_minutes,
    retracted, precision, zone_assumed, content_hash, raw, operator, until, note
)
SELECT
    1, 0, number, fromUnixTimestamp64Milli({now:Int64} - 1000, 'UTC'),
    concat('late_delivery/shipment/SHP-', toString(100000000 + ((intDiv({shipments:UInt64}, 10) * 10 - number * 10) * 7919) % 100000007)),
    'control-tower', toString(number), 'acknowledged', fromUnixTimestamp64Milli({now:Int64} - 1000, 'UTC'),
    fromUnixTimestamp64Milli({now:Int64} - 1000, 'UTC'), 0, 0, 'time', 0,
    toFixedString(substring(SHA256(toString(number)), 1, 16), 16), concat('{"event_id":"', toString(number), '"}'),
    'ana', fromUnixTimestamp64Milli({now:Int64} + 86400000, 'UTC'), 'seen to'
FROM numbers(least({shipments:UInt64}, 2000))
WHERE number % {every:UInt64} = 0
