-- one row per leg of the chosen shipment: leg, departs_from, arrives_at, planned_from, planned_to, departed_at,
-- arrived_at, days (between the first and the last actual milestone), reached, milestones, overdue
SELECT
    leg,
    argMin(location, coalesce(actual_at, estimated_at, planned_at)) AS departs_from,
    argMax(location, coalesce(actual_at, estimated_at, planned_at)) AS arrives_at,
    min(planned_at) AS planned_from,
    max(planned_at) AS planned_to,
    min(actual_at) AS departed_at,
    max(actual_at) AS arrived_at,
    dateDiff('second', departed_at, arrived_at) / 86400 AS days,
    countIf(actual_at IS NOT NULL OR inferred = 1) AS reached,
    count() AS milestones,
    countIf(overdue_now = 1) AS overdue
FROM shipment_milestones
WHERE shipment_id = ${shipment_id:singlequote}
GROUP BY leg
ORDER BY leg
