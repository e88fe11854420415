-- one row per day and supplier: time, supplier, otif (0 to 1; on time and in full of the lines with a promise)
SELECT toDateTime(day, 'UTC') AS time, supplier, on_time_in_full / (lines - no_promise) AS otif
FROM supplier_daily
WHERE day >= toDate($__fromTime, 'UTC')
    AND day <= toDate($__toTime, 'UTC')
    AND lines > no_promise
    AND $__conditionalAll(supplier IN (${supplier:singlequote}), $supplier)
ORDER BY time, supplier
