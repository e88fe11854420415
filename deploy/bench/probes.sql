-- The benchmark's probes that can be queried: as events of the history, and as stock positions.
SELECT 'event_row' AS stage, item
FROM warehouse_events
WHERE site = {site:String}
UNION ALL
SELECT 'view_row' AS stage, item
FROM stock_now
WHERE site = {site:String}
