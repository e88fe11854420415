-- one row per order line delivered in the time range (at most 20,000): time (of delivery), days (from order)
SELECT at AS time, ms / 86400000 AS days
FROM lead_times_now
WHERE measure IN ('order_to_delivery', '')
    AND day >= toDate32($__fromTime, 'UTC')
    AND day <= toDate32($__toTime, 'UTC')
    AND at >= $__fromTime
    AND at <= $__toTime
    AND ms > 0
    AND $__conditionalAll(party IN (${supplier:singlequote}), $supplier)
ORDER BY time
LIMIT 20000
