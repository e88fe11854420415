-- one row: otif, of the chosen suppliers' order lines of the last 90 days that had a promise (0 to 1)
SELECT sum(otif_share_90d * lines_90d) / nullIf(sumIf(lines_90d, otif_share_90d IS NOT NULL), 0) AS otif
FROM supplier_now
WHERE 1 = 1
    AND $__conditionalAll(supplier IN (${supplier:singlequote}), $supplier)
