-- The states of shipments [first, last), of which those of the last 13 days are open. One in ten is late or was.
INSERT INTO shipment_status
(
    epoch, version, shipment_id, status, leg, final, carrier, mode, origin, destination, lane, promised_at, due_at,
    estimated_at, departed_at, delivered_at, late, late_ms, latitude_micros, longitude_micros, seen_at, orders, findings,
    milestones.leg, milestones.milestone, milestones.planned_at, milestones.planned_due_at, milestones.estimated_at,
    milestones.actual_at, milestones.inferred, milestones.location, lines.item, lines.unit, lines.order_id,
    lines.line_id, lines.shipped, lines.delivered, lines.delivered_at, lines.promised_at, lines.due_at, lines.late,
    lines.late_ms, gone
)
WITH
    {begin:Int64} + toInt64(number * {step:Float64}) AS started,
    toUInt8(started + 12 * 86400000 + 3600000 <= {now:Int64}) AS ended,
    number % 10 = 0 AS slow,
    fromUnixTimestamp64Milli(started + if(slow, 5, 14) * 86400000, 'UTC') AS due,
    fromUnixTimestamp64Milli(started, 'UTC') AS moment,
    if(ended, toNullable(fromUnixTimestamp64Milli(started + 12 * 86400000, 'UTC')), NULL) AS delivered,
    concat('SITE-', toString(number % 35)) AS source_site,
    concat('SITE-', toString(35 + number % 140)) AS target_site,
    ['booked', 'picked_up', 'departed', 'arrived', 'out_for_delivery', 'delivered'] AS passed,
    arrayMap(i -> fromUnixTimestamp64Milli(started + i * 86400000, 'UTC'), [0, 4, 5, 9, 11, 12]) AS planned,
    toInt64(cityHash64(number) % 90000000) AS place
SELECT
    1, {version:UInt64} + number, concat('SHP-', toString(100000000 + (number * 7919) % 100000007)),
    if(ended, 'delivered', 'departed'), 1, ended, concat('CARRIER-', toString(number % 12)), 'road', source_site,
    target_site, concat(source_site, '>', target_site), due, due, due, moment, delivered, ended AND slow,
    if(ended AND slow, 7 * 86400000, 0), place, place * 2, moment,
    [concat('PO-', toString(100000000 + (toUInt64(number * {orders:Float64}) * 7919) % 100000007))], [],
    [1, 1, 1, 1, 1, 1], passed, planned, planned, arrayMap(i -> NULL, planned),
    arrayMap((i, p) -> if(ended OR (i < 4 AND p <= fromUnixTimestamp64Milli({now:Int64}, 'UTC')), toNullable(p), NULL),
        arrayEnumerate(planned), planned),
    [0, 0, 0, 0, 0, 0], arrayMap(i -> concat('PLACE-', toString((number + i) % 700)), arrayEnumerate(planned)),
    [concat('95200005', leftPad(toString(number % 100000), 5, '0')), 'owner:LAMP-1'], ['pcs', 'pcs'],
    [concat('PO-', toString(number)), concat('PO-', toString(number))], ['1', '2'], [5000, 96000],
    if(ended, [5000, 96000], [0, 0]), [delivered, delivered], [due, due], [due, due], [ended AND slow, ended AND slow],
    [0, 0], 0
FROM numbers({first:UInt64}, {last:UInt64} - {first:UInt64})
WHERE number % {every:UInt64} = 0
