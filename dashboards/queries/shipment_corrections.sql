-- every statement of those events of the chosen shipment that were said more than once, the newest first: source,
-- event_id, type, milestone, occurred_at, recorded_at, counts (what became of it)
SELECT
    source,
    event_id,
    type,
    milestone,
    occurred_at,
    recorded_at,
    multiIf(
        place > 1 AND content_hash = newest_hash, 'the same again', place > 1, 'replaced',
        retracted = 1, 'withdrawn', 'counts'
    ) AS counts
FROM
(
    SELECT
        *,
        row_number() OVER said AS place,
        first_value(content_hash) OVER said AS newest_hash,
        count() OVER (PARTITION BY source, event_id) AS statements
    FROM shipment_events FINAL
    WHERE shipment_id = ${shipment_id:singlequote}
    WINDOW said AS
    (
        PARTITION BY source, event_id
        ORDER BY recorded_at DESC, retracted DESC, content_hash DESC, epoch, partition, offset
    )
)
WHERE statements > 1 OR retracted = 1
ORDER BY recorded_at DESC, source, event_id, place
LIMIT 200
