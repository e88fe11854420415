-- One row per position as the stock agent published it: (entity, figures).
SELECT
    concat(site, '|', item) AS entity,
    (
        toString(unit), on_hand, reserved, quarantined, available, in_transit, received, returned, moved_in, adjusted,
        count_variance, shipped, moved_out, scrapped, picked, packed, put_away, mismatch,
        if((site, item) IN (SELECT site, item FROM warehouse_events WHERE epoch = 0), 0, movements),
        toUnixTimestamp64Milli(last_movement_at), toUnixTimestamp64Milli(negative_since),
        toUnixTimestamp64Milli(stockout_since), findings
    ) AS figures
FROM stock_positions FINAL
WHERE epoch = (SELECT epoch FROM current_epoch) AND gone = 0 AND {{scope}}
