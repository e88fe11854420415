-- one row: on_time_share, lines delivered by their promise / lines delivered that had one (0 to 1), over the
-- UTC days of the time range; NULL if there are none
SELECT sum(on_time) / nullIf(sum(on_time) + sum(late), 0) AS on_time_share
FROM on_time_daily
WHERE day >= toDate($__fromTime, 'UTC')
    AND day <= toDate($__toTime, 'UTC')
    AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
    AND $__conditionalAll(supplier IN (${supplier:singlequote}), $supplier)
