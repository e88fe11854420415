-- one row: found, the chosen suppliers' order lines delivered in the last 90 days
SELECT sum(lines_90d) AS found
FROM supplier_now
WHERE 1 = 1
    AND $__conditionalAll(supplier IN (${supplier:singlequote}), $supplier)
