-- one row: positions, positions at or below their reorder point
SELECT count() AS positions
FROM stock_cover
WHERE below_reorder_point = 1
    AND $__conditionalAll(site IN (${site:singlequote}), $site)
    AND $__conditionalAll(item IN (${item:singlequote}), $item)
