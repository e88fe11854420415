-- one row per bucket and stream: time, stream, per_minute (records by the time the broker took them; one that a
-- crash made the sink store twice counts twice until the table merges)
SELECT
    time,
    stream,
    sum(events) * 60 / $__interval_s AS per_minute
FROM
(
    SELECT $__timeInterval(appended_at) AS time, 'supplier' AS stream, count() AS events
    FROM supplier_events
    WHERE $__timeFilter(appended_at)
    GROUP BY time
    UNION ALL
    SELECT $__timeInterval(appended_at) AS time, 'shipment' AS stream, count() AS events
    FROM shipment_events
    WHERE $__timeFilter(appended_at)
    GROUP BY time
    UNION ALL
    SELECT $__timeInterval(appended_at) AS time, 'warehouse' AS stream, count() AS events
    FROM warehouse_events
    WHERE $__timeFilter(appended_at)
    GROUP BY time
)
GROUP BY time, stream
ORDER BY time, stream
