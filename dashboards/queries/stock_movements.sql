-- the latest 200 warehouse events that count, of the chosen sites and items in the time range: occurred_at,
-- recorded_at, site, item, type, direction, quantity, unit, lot_or_reason, source, event_id, coordinate
--
-- Looked for among the latest 600 records, of which whole rows are read only where they are shown; should fewer than 200
-- of those count, everything in the time range is read.
WITH
    (
        SELECT (ifNull(minOrNull(occurred_at), $__toTime), count() = 600)
        FROM
        (
            SELECT occurred_at
            FROM warehouse_events
            WHERE $__timeFilter(occurred_at)
                AND $__conditionalAll(site IN (${site:singlequote}), $site)
                AND $__conditionalAll(item IN (${item:singlequote}), $item)
            ORDER BY occurred_at DESC
            LIMIT 600
        )
    ) AS latest,
    (
        SELECT groupArray((site, item, source, event_id, epoch, partition, offset))
        FROM
        (
            SELECT site, item, source, event_id, epoch, partition, offset
            FROM
            (
                SELECT site, item, source, event_id, retracted, occurred_at, epoch, partition, offset
                FROM warehouse_events
                PREWHERE event_id IN
                (
                    SELECT event_id
                    FROM warehouse_events
                    WHERE $__timeFilter(occurred_at) AND occurred_at >= latest.1
                        AND $__conditionalAll(site IN (${site:singlequote}), $site)
                        AND $__conditionalAll(item IN (${item:singlequote}), $item)
                )
                WHERE $__timeFilter(occurred_at)
                    AND $__conditionalAll(site IN (${site:singlequote}), $site)
                    AND $__conditionalAll(item IN (${item:singlequote}), $item)
                ORDER BY
                    site, item, source, event_id, recorded_at DESC, retracted DESC, content_hash DESC, epoch, partition,
                    offset
                LIMIT 1 BY site, item, source, event_id
            )
            WHERE retracted = 0 AND occurred_at >= latest.1
            ORDER BY occurred_at DESC, event_id
            LIMIT 200
        )
    ) AS found
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
    WHERE NOT (latest.2 AND length(found) < 200)
        AND occurred_at >= latest.1 AND $__timeFilter(occurred_at)
        AND (site, item, source, event_id, epoch, partition, offset) IN (SELECT arrayJoin(found) AS one)
    LIMIT 1 BY epoch, partition, offset
    UNION ALL
    SELECT *
    FROM
    (
        SELECT *, quantity
        FROM warehouse_events
        WHERE latest.2 AND length(found) < 200 AND $__timeFilter(occurred_at)
            AND $__conditionalAll(site IN (${site:singlequote}), $site)
            AND $__conditionalAll(item IN (${item:singlequote}), $item)
        ORDER BY
            site, item, source, event_id, recorded_at DESC, retracted DESC, content_hash DESC, epoch, partition, offset
        LIMIT 1 BY site, item, source, event_id
    )
    WHERE retracted = 0
)
ORDER BY occurred_at DESC, event_id
LIMIT 200
