-- up to 500 positions, those that will be empty first at the top: site, item, unit, on_hand, reserved, quarantined,
-- available, in_transit, shipped_per_day, days_of_supply, reorder_point, low, last_movement_at
SELECT
    site,
    item,
    unit,
    on_hand,
    reserved,
    quarantined,
    available,
    in_transit,
    shipped_per_day,
    days_of_supply,
    reorder_point,
    if(below_reorder_point = 1, 'below', '') AS low,
    last_movement_at
FROM stock_cover
WHERE 1 = 1
    AND $__conditionalAll(site IN (${site:singlequote}), $site)
    AND $__conditionalAll(item IN (${item:singlequote}), $item)
ORDER BY on_hand < 0 DESC, below_reorder_point = 1 DESC, days_of_supply ASC NULLS LAST, site, item
LIMIT 500
