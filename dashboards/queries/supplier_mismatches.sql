-- one row: found, the chosen suppliers' open mismatches between what was shipped and what came
SELECT sum(quantity_mismatches) AS found
FROM supplier_now
WHERE 1 = 1
    AND $__conditionalAll(supplier IN (${supplier:singlequote}), $supplier)
