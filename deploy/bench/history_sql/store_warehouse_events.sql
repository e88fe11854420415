-- The warehouse events [first, last), one every `step` ms from `begin` on; one in a hundred corrects the one before it
-- of its position.
INSERT INTO warehouse_events
(
    epoch, partition, offset, appended_at, source, event_id, type, occurred_at, recorded_at, offset_minutes, retracted,
    precision, zone_assumed, content_hash, references, attributes, findings, raw, site, item, quantity_thousandths, unit,
    direction
)
SELECT
    1, number % 4, intDiv(number, 4), fromUnixTimestamp64Milli(recorded + 1000, 'UTC'), source, event_id, type,
    fromUnixTimestamp64Milli(occurred, 'UTC'), fromUnixTimestamp64Milli(recorded, 'UTC'), 60, 0, 'time', 0,
    toFixedString(substring(SHA256(raw), 1, 16), 16), map('order_id', concat('SO-', toString(number))), map(), [],
    raw, site, item, quantity * 1000, 'pcs', ''
FROM
(
    WITH
        if(number % 100 = 99 AND number >= {positions:UInt64}, number - {positions:UInt64}, number) AS told,
        ['reserved', 'picked', 'packed', 'released', 'shipped', 'adjusted', 'counted', 'received', 'put_away'] AS types
    SELECT
        number,
        {begin:Int64} + toInt64(told * {step:Float64}) AS occurred,
        {begin:Int64} + toInt64(number * {step:Float64}) + 30000 AS recorded,
        types[1 + cityHash64(told) % 9] AS type,
        number % {positions:UInt64} AS place,
        concat('SITE-', toString(place % 140)) AS site,
        concat('952000', leftPad(toString(place), 7, '0')) AS item,
        concat('wms-', toString(place % 140)) AS source,
        concat(source, '-', leftPad(toString(told), 8, '0')) AS event_id,
        toInt64(number % 400) AS quantity,
        concat(
            '{"event_id":"', event_id, '","source":"', source, '","type":"', type, '","occurred_at":"',
            formatDateTime(fromUnixTimestamp64Milli(occurred, 'UTC'), '%Y-%m-%dT%H:%i:%S.000+01:00'),
            '","recorded_at":"',
            formatDateTime(fromUnixTimestamp64Milli(recorded, 'UTC'), '%Y-%m-%dT%H:%i:%S.000+01:00'),
            '","site":"', site, '","item":"', item, '","quantity":', toString(quantity),
            ',"unit":"pcs","references":{"order_id":"SO-', toString(number), '","shipment_id":"SHP-',
            toString(100000000 + number), '"}}'
        ) AS raw
    FROM numbers({first:UInt64}, {last:UInt64} - {first:UInt64})
)
SETTINGS max_partitions_per_insert_block = 0
