-- The supplier events of orders [first, last): placed, confirmed, and then closed or an advance ship notice; every
-- fiftieth confirmation is corrected. Order n starts at begin + n * step, in ms.
INSERT INTO supplier_events
(
    epoch, partition, offset, appended_at, source, event_id, type, occurred_at, recorded_at, offset_minutes, retracted,
    precision, zone_assumed, content_hash, references, attributes, findings, raw, order_id
)
SELECT
    1, n % 4, intDiv(n, 4), fromUnixTimestamp64Milli(recorded + 1000, 'UTC'), source, event_id, type,
    fromUnixTimestamp64Milli(occurred, 'UTC'), fromUnixTimestamp64Milli(recorded, 'UTC'), 60, 0, 'time', 0,
    toFixedString(substring(SHA256(raw), 1, 16), 16), map(), map(), [], raw, order_id
FROM
(
    WITH
        if(turn = 3, 1, turn) AS told,
        ['order_placed', 'order_confirmed', if(number % 3 = 0, 'advance_ship_notice', 'order_closed')] AS types
    SELECT
        arrayJoin(if(number % 50 = 0, range(4), range(3))) AS turn,
        number * 4 + turn AS n,
        {begin:Int64} + toInt64(number * {step:Float64}) + told * 86400000 + cityHash64(number, told) % 3600000
            AS occurred,
        occurred + 30000 + if(turn = 3, 7200000, 0) AS recorded,
        types[told + 1] AS type,
        concat('halden-erp-', leftPad(toString(number % 35), 2, '0')) AS source,
        concat(source, '-', leftPad(toString(number), 7, '0'), '-', toString(told)) AS event_id,
        concat('PO-', toString(100000000 + (number * 7919) % 100000007)) AS order_id,
        concat(
            '{"event_id":"', event_id, '","source":"', source, '","type":"', type, '","occurred_at":"',
            formatDateTime(fromUnixTimestamp64Milli(occurred, 'UTC'), '%Y-%m-%dT%H:%i:%S.000+01:00'),
            '","recorded_at":"',
            formatDateTime(fromUnixTimestamp64Milli(recorded, 'UTC'), '%Y-%m-%dT%H:%i:%S.000+01:00'),
            '","order_id":"', order_id, '","supplier":"SUPPLIER-', toString(number % 300),
            '","lines":[{"line_id":"1","item":"95200005', leftPad(toString(number % 100000), 5, '0'),
            '","quantity":', toString(number % 500), ',"unit":"pcs","unit_cost":"38.50","currency":"USD"},',
            '{"line_id":"2","item":"owner:LAMP-', toString(number % 90), '","quantity":96,"unit":"pcs"}]}'
        ) AS raw
    FROM numbers({first:UInt64}, {last:UInt64} - {first:UInt64})
)
WHERE recorded + 1000 <= {now:Int64}
SETTINGS max_partitions_per_insert_block = 0
