-- up to 200 open exceptions of negative stock, those that nobody has in hand first: opened_at, site, item, detail,
-- in_hand, exception_id
SELECT opened_at, site, item, detail, acknowledged_by AS in_hand, exception_id
FROM stock_exceptions_open
WHERE kind = 'negative_stock'
    AND $__conditionalAll(site IN (${site:singlequote}), $site)
    AND $__conditionalAll(item IN (${item:singlequote}), $item)
ORDER BY acknowledged, opened_at, exception_id
LIMIT 200
