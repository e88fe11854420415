-- The shipment events of shipments [first, last): 13 of each, of the kinds and in the order of the demo network, over
-- some 13 days, those that lie in the future left out; and for every fifth shipment one more, by turns a correction,
-- a repeat under another coordinate, or a retraction. Shipment n starts at begin + n * step, all in ms.
INSERT INTO shipment_events
(
    epoch, partition, offset, appended_at, source, event_id, type, occurred_at, recorded_at, offset_minutes, retracted,
    precision, zone_assumed, content_hash, references, attributes, findings, raw, shipment_id, milestone, classifier, leg
)
SELECT
    1, n % 4, intDiv(n, 4), fromUnixTimestamp64Milli(appended, 'UTC'), source, event_id, type,
    fromUnixTimestamp64Milli(occurred, 'UTC'), fromUnixTimestamp64Milli(recorded, 'UTC'), 60, withdrawn, 'time', 0,
    toFixedString(substring(SHA256(raw), 1, 16), 16), map('container', concat('MSCU', leftPad(toString(shipment), 7, '0'))),
    map(), [], raw, shipment_id, milestone, classifier, 1
FROM
(
    WITH
        ['milestone', 'milestone', 'milestone', 'milestone', 'milestone', 'milestone', 'position', 'position',
         'condition', 'milestone', 'position', 'milestone', 'milestone'] AS types,
        ['booked', 'departed', 'arrived', 'delivered', 'picked_up', 'departed', '', '', '', 'arrived', '',
         'out_for_delivery', 'delivered'] AS milestones,
        ['actual', 'planned', 'planned', 'planned', 'actual', 'actual', '', '', '', 'actual', '', 'actual', 'actual']
            AS classifiers,
        multiIf(turn < 13, turn, shipment % 15 = 0, 5, shipment % 15 = 5, 4, 7) AS told
    SELECT
        number AS shipment,
        arrayJoin(if(number % 5 = 0, range(14), range(13))) AS turn,
        number * 14 + turn AS n,
        {begin:Int64} + toInt64(number * {step:Float64}) + told * 86400000 + cityHash64(number, told) % 3600000
            AS occurred,
        occurred + 30000 + if(turn = 13 AND shipment % 15 != 5, 7200000, 0) AS recorded,
        occurred + 31000 + if(turn = 13, 7200000, 0) AS appended,
        turn = 13 AND shipment % 15 = 10 AS withdrawn,
        types[told + 1] AS type,
        milestones[told + 1] AS milestone,
        classifiers[told + 1] AS classifier,
        concat(['carrier-edi', 'skytrace-gps', 'coldtrace-iot'][1 + (told IN (6, 7, 10)) + 2 * (told = 8)], '-',
            leftPad(toString(number % 35), 2, '0')) AS source,
        concat(source, '-', leftPad(toString(number), 7, '0'), '-', toString(told)) AS event_id,
        concat('SHP-', toString(100000000 + (number * 7919) % 100000007)) AS shipment_id,
        concat(
            '{"event_id":"', event_id, '","source":"', source, '","type":"', type, '","occurred_at":"',
            formatDateTime(fromUnixTimestamp64Milli(occurred, 'UTC'), '%Y-%m-%dT%H:%i:%S.000+01:00'),
            '","recorded_at":"',
            formatDateTime(fromUnixTimestamp64Milli(recorded, 'UTC'), '%Y-%m-%dT%H:%i:%S.000+01:00'),
            '","shipment_id":"', shipment_id, '"',
            if(type = 'milestone',
                concat(',"milestone":"', milestone, '","classifier":"', classifier, '","leg":1,"location":"PLACE-',
                    toString(number % 700), '","carrier":"CARRIER-', toString(number % 12), '"'),
                concat(',"latitude":', toString(cityHash64(n) % 90000000 / 1000000), ',"longitude":',
                    toString(cityHash64(n, 1) % 180000000 / 1000000))),
            if(withdrawn, ',"retracted":true', ''),
            ',"references":{"container":"MSCU', leftPad(toString(number), 7, '0'), '","booking":"BK-',
            toString(100000 + number), '"}}'
        ) AS raw
    FROM numbers({first:UInt64}, {last:UInt64} - {first:UInt64})
)
WHERE appended <= {now:Int64}
SETTINGS max_partitions_per_insert_block = 0
