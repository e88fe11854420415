-- one row: found, the chosen suppliers' order lines that are open
SELECT sum(open_lines) AS found
FROM supplier_now
WHERE 1 = 1
    AND $__conditionalAll(supplier IN (${supplier:singlequote}), $supplier)
