-- one row: otif, order lines delivered on time and in full / lines that had a promise (0 to 1), over the days of
-- the time range; NULL if there are none
SELECT sum(on_time_in_full) / nullIf(sum(lines) - sum(no_promise), 0) AS otif
FROM supplier_daily
WHERE day >= toDate($__fromTime, 'UTC')
    AND day <= toDate($__toTime, 'UTC')
    AND $__conditionalAll(supplier IN (${supplier:singlequote}), $supplier)
