-- one row per topic of facts, always present: topic, dead_share (dead letters / all records that arrived within the
-- window, 0 to 1; 0 where fewer than the least number arrived)
SELECT
    toString(of_topic) AS topic,
    toFloat64(if(sum(dead) + sum(good) >= @{dead_letter_share.of_at_least}, sum(dead) / (sum(dead) + sum(good)), 0)) AS dead_share
FROM
(
    SELECT toString(topic) AS of_topic, count() AS dead, 0 AS good
    FROM dead_letters
    WHERE arrived_at >= now64(3, 'UTC') - INTERVAL @{dead_letter_share.window_minutes} MINUTE
        AND topic IN ('supplier.events', 'shipment.events', 'warehouse.events', 'reference.events', 'operator.events')
    GROUP BY of_topic
    UNION ALL
    SELECT 'supplier.events' AS of_topic, 0 AS dead, count() AS good
    FROM supplier_events
    WHERE appended_at >= now64(3, 'UTC') - INTERVAL @{dead_letter_share.window_minutes} MINUTE
    UNION ALL
    SELECT 'shipment.events' AS of_topic, 0 AS dead, count() AS good
    FROM shipment_events
    WHERE appended_at >= now64(3, 'UTC') - INTERVAL @{dead_letter_share.window_minutes} MINUTE
    UNION ALL
    SELECT 'warehouse.events' AS of_topic, 0 AS dead, count() AS good
    FROM warehouse_events
    WHERE appended_at >= now64(3, 'UTC') - INTERVAL @{dead_letter_share.window_minutes} MINUTE
    UNION ALL
    SELECT 'reference.events' AS of_topic, 0 AS dead, count() AS good
    FROM reference_events
    WHERE appended_at >= now64(3, 'UTC') - INTERVAL @{dead_letter_share.window_minutes} MINUTE
    UNION ALL
    SELECT 'operator.events' AS of_topic, 0 AS dead, count() AS good
    FROM operator_events
    WHERE appended_at >= now64(3, 'UTC') - INTERVAL @{dead_letter_share.window_minutes} MINUTE
)
GROUP BY of_topic
ORDER BY topic
