-- up to 200 open stockouts and positions below their reorder point, those that nobody has in hand first: opened_at,
-- kind, site, item, detail, in_hand, exception_id
SELECT opened_at, kind, site, item, detail, acknowledged_by AS in_hand, exception_id
FROM stock_exceptions_open
WHERE kind IN ('stockout', 'below_reorder_point')
    AND $__conditionalAll(site IN (${site:singlequote}), $site)
    AND $__conditionalAll(item IN (${item:singlequote}), $item)
ORDER BY acknowledged, kind DESC, opened_at, exception_id
LIMIT 200
