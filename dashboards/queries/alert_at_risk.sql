-- one row per lane, always present: lane, at_risk (shipments expected after their promise and not acknowledged,
-- where those are more than the threshold, else 0)
SELECT toString(on_lane) AS lane, toFloat64(if(sum(one) > @{at_risk.count}, sum(one), 0)) AS at_risk
FROM
(
    SELECT lane AS on_lane, toUInt64(1) AS one FROM at_risk_shipments WHERE acknowledged = 0
    UNION ALL
    SELECT DISTINCT lane AS on_lane, toUInt64(0) AS one FROM shipments_now
)
GROUP BY on_lane
ORDER BY lane
