-- The states of orders [first, last), two lines each; delivered are those that are older than 17 days.
INSERT INTO order_status
(
    epoch, version, order_id, status, supplier, buyer, destination, ordered_at, final, lines.line_id, lines.status,
    lines.item, lines.unit, lines.ordered, lines.shipped, lines.delivered, lines.ordered_at, lines.requested_at,
    lines.promised_at, lines.due_at, lines.delivered_at, lines.late, lines.late_ms, lines.unit_cost_micros,
    lines.currency, lines.shipments, lines.findings, gone
)
WITH
    {begin:Int64} + toInt64(number * {step:Float64}) AS started,
    toUInt8(started + 17 * 86400000 <= {now:Int64}) AS ended,
    number % 12 = 0 AS slow,
    fromUnixTimestamp64Milli(started + if(slow, 14, 18) * 86400000, 'UTC') AS due,
    fromUnixTimestamp64Milli(started, 'UTC') AS moment,
    if(ended, toNullable(fromUnixTimestamp64Milli(started + 16 * 86400000, 'UTC')), NULL) AS delivered,
    if(ended, 'delivered', 'confirmed') AS status,
    concat('SHP-', toString(100000000 + (toUInt64(number * {shipments:Float64}) * 7919) % 100000007)) AS by
SELECT
    1, {version:UInt64} + number, concat('PO-', toString(100000000 + (number * 7919) % 100000007)), status,
    concat('SUPPLIER-', toString(number % 300)), concat('HALDEN-', toString(number % 35)),
    concat('SITE-', toString(number % 140)), moment, ended, ['1', '2'], [status, status],
    [concat('95200005', leftPad(toString(number % 100000), 5, '0')), 'owner:LAMP-1'], ['pcs', 'pcs'], [5000, 96000],
    if(ended, [5000, 96000], [0, 0]), if(ended, [5000, 96000], [0, 0]), [moment, moment], [due, due], [due, due],
    [due, due], [delivered, delivered], [ended AND slow, ended AND slow], [0, 0], [38500000, NULL], ['USD', ''],
    [[by], [by]], [[], []], 0
FROM numbers({first:UInt64}, {last:UInt64} - {first:UInt64})
WHERE number % {every:UInt64} = 0
