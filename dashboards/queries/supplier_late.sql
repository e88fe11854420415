-- one row: found, the chosen suppliers' open order lines that are past their promise
SELECT sum(late_lines) AS found
FROM supplier_now
WHERE 1 = 1
    AND $__conditionalAll(supplier IN (${supplier:singlequote}), $supplier)
