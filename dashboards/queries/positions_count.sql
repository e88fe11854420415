-- one row: positions, the pairs of site and item with stock or movements
SELECT count() AS positions
FROM stock_cover
WHERE 1 = 1
    AND $__conditionalAll(site IN (${site:singlequote}), $site)
    AND $__conditionalAll(item IN (${item:singlequote}), $item)
