-- one row: positions, positions with nothing on hand that had some
SELECT count() AS positions
FROM stock_cover
WHERE stockout_since IS NOT NULL
    AND $__conditionalAll(site IN (${site:singlequote}), $site)
    AND $__conditionalAll(item IN (${item:singlequote}), $item)
