-- one row per open exception of the chosen shipment: opened_at, kind, detail, in_hand (who acknowledged it), until,
-- note, exception_id
SELECT
    opened_at,
    kind,
    detail,
    acknowledged_by AS in_hand,
    if(acknowledged = 1, acknowledged_until, NULL) AS until,
    note,
    exception_id
FROM exceptions_open
WHERE entity_kind = 'shipment'
    AND entity = ${shipment_id:singlequote}
ORDER BY opened_at, kind
