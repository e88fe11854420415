-- Beside the openings, and visible in the same instant, a retraction of each event that they stand for: so the figures
-- are the same whichever of the rows that are to go has gone.
INSERT INTO retention_openings
(
    epoch, partition, offset, appended_at, site, item, source, event_id, type, occurred_at, recorded_at,
    offset_minutes, retracted, precision, zone_assumed, content_hash, raw, quantity_thousandths, unit, direction
)
WITH
    fromUnixTimestamp64Milli({appended:Int64}, 'UTC') AS arrived,
    fromUnixTimestamp64Milli({appended:Int64} + 86400000, 'UTC') AS said,
    at -> concat(formatDateTime(at, '%Y-%m-%dT%H:%i:%S'), '.', leftPad(toString(positiveModulo(toUnixTimestamp64Milli(at), 1000)), 3, '0'), 'Z') AS told
SELECT
    0, 1, {first:UInt64} + rowNumberInAllBlocks(), arrived, site, item, source, event_id, 'packed', occurred_at, said,
    0, 1, 'instant', 0,
    substring(
        SHA256(
            concat(
                '{"event_id":', toJSONString(event_id), ',"source":', toJSONString(source), ',"type":"packed","site":',
                toJSONString(site), ',"item":', toJSONString(item), ',"unit":', toJSONString(if(unit = '', 'unit', unit)),
                ',"quantity":0,"occurred_at":"', told(occurred_at), '","recorded_at":"', told(said), '","retracted":true}'
            ) AS bytes
        ), 1, 16
    ),
    bytes, 0, if(unit = '', 'unit', unit), ''
FROM retention_movements
WHERE run = {run:UInt64} AND (site, item) IN (SELECT site, item FROM retention_openings WHERE partition = 0)
