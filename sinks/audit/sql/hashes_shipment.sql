-- What the store has for offsets [first, behind) of a partition of shipment.events: (offset, content hash in hex), for a
-- replayed record that of the row at its first coordinate (empty where there is none).
SELECT offset, hex(content_hash)
FROM shipment_events
WHERE epoch = {epoch:UInt64} AND partition = {partition:UInt32} AND offset >= {first:UInt64} AND offset < {behind:UInt64}
UNION ALL
SELECT offset, hex(substring(SHA256(value), 1, 16))
FROM dead_letter_records
WHERE topic = 'shipment.events' AND origin = '' AND epoch = {epoch:UInt64} AND partition = {partition:UInt32}
    AND offset >= {first:UInt64} AND offset < {behind:UInt64}
UNION ALL
SELECT again.offset AS offset, kept.hash
FROM
(
    SELECT offset, (first_epoch, first_partition, first_offset) AS place
    FROM replayed_records
    WHERE topic = 'shipment.events' AND epoch = {epoch:UInt64} AND partition = {partition:UInt32}
        AND offset >= {first:UInt64} AND offset < {behind:UInt64}
) AS again
LEFT JOIN
(
    SELECT (epoch, partition, offset) AS place, hex(content_hash) AS hash FROM shipment_events
    UNION ALL
    SELECT (epoch, partition, offset) AS place, hex(substring(SHA256(value), 1, 16)) AS hash
    FROM dead_letter_records WHERE topic = 'shipment.events' AND origin = ''
) AS kept ON kept.place = again.place
