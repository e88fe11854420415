-- up to 500 events behind the chosen shipment as they came, the newest statement first: recorded_at, occurred_at,
-- type, milestone, classifier, leg, source, event_id, withdrawn, appended_at, coordinate, raw_event
SELECT
    recorded_at,
    occurred_at,
    type,
    milestone,
    classifier,
    leg,
    source,
    event_id,
    if(retracted, 'yes', '') AS withdrawn,
    appended_at,
    concat(toString(epoch), '/', toString(partition), '/', toString(offset)) AS coordinate,
    toValidUTF8(raw) AS raw_event
FROM shipment_events FINAL
WHERE shipment_id = ${shipment_id:singlequote}
ORDER BY recorded_at DESC, event_id
LIMIT 500
