-- one row per lane with an open shipment, the worst first: lane, open_shipments, late, late_share (0 to 1),
-- oldest_hours (how long the oldest late one is past its promise)
SELECT
    lane,
    count() AS open_shipments,
    countIf(late_now = 1) AS late,
    countIf(late_now = 1) / count() AS late_share,
    max(toFloat64(late_hours)) AS oldest_hours
FROM shipments_now
WHERE open = 1
    AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
    AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
GROUP BY lane
ORDER BY late DESC, lane
LIMIT 100
