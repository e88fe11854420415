-- The openings, as rows of the fact table.
SELECT
    site, item, toUnixTimestamp64Milli(occurred_at) AS occurred,
    toUInt8(indexOf(
        [
            'received', 'returned', 'moved_in', 'put_away', 'restored', 'released', 'adjusted', 'reserved', 'picked',
            'packed', 'quarantined', 'shipped', 'moved_out', 'scrapped', 'counted'
        ],
        if(type = 'moved', concat('moved_', direction), toString(type))
    ) - 1) AS kind,
    toString(source) AS source, event_id, quantity_thousandths AS quantity, toString(unit) AS own_unit,
    references['shipment_id'] AS shipment_id
FROM retention_openings
WHERE partition = 0
