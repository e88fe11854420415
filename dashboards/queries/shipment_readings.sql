-- one row per reading of the chosen shipment's sensors: time, reading (temperature in Celsius, humidity in %,
-- shock in g), value
SELECT occurred_at AS time, told.1 AS reading, assumeNotNull(told.2) AS value
FROM
(
    SELECT
        occurred_at,
        arrayJoin([
            ('temperature', toFloat64OrNull(trim(BOTH '"' FROM JSONExtractRaw(raw, 'temperature')))),
            ('humidity', toFloat64OrNull(trim(BOTH '"' FROM JSONExtractRaw(raw, 'humidity')))),
            ('shock', toFloat64OrNull(trim(BOTH '"' FROM JSONExtractRaw(raw, 'shock'))))
        ]) AS told
    FROM shipment_events_now
    WHERE shipment_id = ${shipment_id:singlequote}
        AND type = 'condition'
        AND occurred_at >= $__fromTime
        AND occurred_at <= $__toTime
)
WHERE told.2 IS NOT NULL
ORDER BY time, reading
LIMIT 5000
