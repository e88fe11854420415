-- one row per supplier, the worst first: supplier, lines_90d, otif_share_90d (0 to 1), open_lines, late_lines,
-- quantity_mismatches
SELECT supplier, lines_90d, otif_share_90d, open_lines, late_lines, quantity_mismatches
FROM supplier_now
WHERE 1 = 1
    AND $__conditionalAll(supplier IN (${supplier:singlequote}), $supplier)
ORDER BY otif_share_90d ASC NULLS LAST, late_lines DESC, supplier
LIMIT 200
