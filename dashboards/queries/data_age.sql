-- one row: seconds since the newest supplier, shipment or warehouse event arrived; NULL before the first one
SELECT if(sum(events) = 0, NULL, greatest(dateDiff('second', max(newest), now64(3, 'UTC')), 0)) AS seconds
FROM
(
    SELECT count() AS events, max(appended_at) AS newest FROM supplier_events
    UNION ALL
    SELECT count() AS events, max(appended_at) AS newest FROM shipment_events
    UNION ALL
    SELECT count() AS events, max(appended_at) AS newest FROM warehouse_events
)
