-- one row per order line delivered in the time range (at most 20,000): time (of delivery), days (from order)
SELECT assumeNotNull(delivered_at) AS time, lead_time_days AS days
FROM order_lines_now
WHERE delivered_at >= $__fromTime
    AND delivered_at <= $__toTime
    AND lead_time_days > 0
    AND $__conditionalAll(supplier IN (${supplier:singlequote}), $supplier)
ORDER BY time
LIMIT 20000
