-- one row: positions, positions whose books are below zero
SELECT count() AS positions
FROM stock_cover
WHERE negative_since IS NOT NULL
    AND $__conditionalAll(site IN (${site:singlequote}), $site)
    AND $__conditionalAll(item IN (${item:singlequote}), $item)
