-- one row per bucket and topic of facts: time, topic, per_minute (records of the chosen sources by the time the broker
-- took them; one that a crash made the sink store twice counts twice until the table merges)
SELECT time, topic, sum(events) * 60 / $__interval_s AS per_minute
FROM
(
    SELECT $__timeInterval(appended_at) AS time, 'supplier.events' AS topic, count() AS events
    FROM supplier_events
    WHERE $__timeFilter(appended_at)
        AND $__conditionalAll(source IN (${source:singlequote}), $source)
    GROUP BY time
    UNION ALL
    SELECT $__timeInterval(appended_at) AS time, 'shipment.events' AS topic, count() AS events
    FROM shipment_events
    WHERE $__timeFilter(appended_at)
        AND $__conditionalAll(source IN (${source:singlequote}), $source)
    GROUP BY time
    UNION ALL
    SELECT $__timeInterval(appended_at) AS time, 'warehouse.events' AS topic, count() AS events
    FROM warehouse_events
    WHERE $__timeFilter(appended_at)
        AND $__conditionalAll(source IN (${source:singlequote}), $source)
    GROUP BY time
    UNION ALL
    SELECT $__timeInterval(appended_at) AS time, 'reference.events' AS topic, count() AS events
    FROM reference_events
    WHERE $__timeFilter(appended_at)
        AND $__conditionalAll(source IN (${source:singlequote}), $source)
    GROUP BY time
    UNION ALL
    SELECT $__timeInterval(appended_at) AS time, 'operator.events' AS topic, count() AS events
    FROM operator_events
    WHERE $__timeFilter(appended_at)
        AND $__conditionalAll(source IN (${source:singlequote}), $source)
    GROUP BY time
)
GROUP BY time, topic
ORDER BY time, topic
