-- one row per kind of state: state, keys_held (of the epoch shown), newest_at (when one was last written)
SELECT state, keys_held, newest_at
FROM
(
    SELECT 'order.status' AS state, count() AS keys_held, maxOrNull(inserted_at) AS newest_at
    FROM order_status WHERE epoch = (SELECT epoch FROM current_epoch)
    UNION ALL
    SELECT 'shipment.status' AS state, count() AS keys_held, maxOrNull(inserted_at) AS newest_at
    FROM shipment_status WHERE epoch = (SELECT epoch FROM current_epoch)
    UNION ALL
    SELECT 'stock.positions' AS state, count() AS keys_held, maxOrNull(inserted_at) AS newest_at
    FROM stock_positions WHERE epoch = (SELECT epoch FROM current_epoch)
    UNION ALL
    SELECT 'lead.stats' AS state, count() AS keys_held, maxOrNull(inserted_at) AS newest_at
    FROM lead_stats WHERE epoch = (SELECT epoch FROM current_epoch)
    UNION ALL
    SELECT 'exceptions' AS state, count() AS keys_held, maxOrNull(inserted_at) AS newest_at
    FROM exceptions WHERE epoch = (SELECT epoch FROM current_epoch)
)
ORDER BY state
