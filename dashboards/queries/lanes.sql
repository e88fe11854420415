-- up to 100 lanes with open shipments, the worst first: lane, open_shipments, late, at_risk, late_share (0 to 1),
-- p50_days, p90_days (transit of the last 90 days), promised_days
SELECT
    lane,
    open AS open_shipments,
    late,
    at_risk,
    late_share,
    p50_days,
    p90_days,
    promised_days
FROM lanes_now
WHERE open > 0
    AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
ORDER BY late DESC, at_risk DESC, lane
LIMIT 100
