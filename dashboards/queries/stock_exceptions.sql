-- one row: positions, those with negative stock, a stockout or too little stock that nobody has acknowledged
SELECT uniqExact(entity) AS positions
FROM stock_exceptions_open
WHERE kind IN ('negative_stock', 'stockout', 'below_reorder_point')
    AND acknowledged = 0
    AND $__conditionalAll(site IN (${site:singlequote}), $site)
    AND $__conditionalAll(item IN (${item:singlequote}), $item)
