-- the latest 200 warehouse events that count, of the chosen sites and items in the time range: occurred_at,
-- recorded_at, site, item, type, direction, quantity, unit, lot_or_reason, source, event_id, coordinate
SELECT
    occurred_at,
    recorded_at,
    site,
    item,
    type,
    direction,
    quantity,
    unit,
    concat(JSONExtractString(raw, 'lot'), ' ', JSONExtractString(raw, 'reason')) AS lot_or_reason,
    source,
    event_id,
    concat(toString(epoch), '/', toString(partition), '/', toString(offset)) AS coordinate
FROM
(
    SELECT *, quantity
    FROM warehouse_events
    WHERE $__timeFilter(occurred_at)
        AND $__conditionalAll(site IN (${site:singlequote}), $site)
        AND $__conditionalAll(item IN (${item:singlequote}), $item)
    ORDER BY
        site, item, source, event_id, recorded_at DESC, retracted DESC, content_hash DESC, epoch, partition, offset
    LIMIT 1 BY site, item, source, event_id
)
WHERE retracted = 0
ORDER BY occurred_at DESC, event_id
LIMIT 200
