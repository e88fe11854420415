-- one row: positions, positions with something in quarantine
SELECT count() AS positions
FROM stock_cover
WHERE quarantined > 0
    AND $__conditionalAll(site IN (${site:singlequote}), $site)
    AND $__conditionalAll(item IN (${item:singlequote}), $item)
