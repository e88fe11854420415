-- one row per milestone of the chosen shipment: leg, milestone, location, planned_at, estimated_at, actual_at,
-- state (reported, inferred, overdue or open)
SELECT
    leg,
    milestone,
    location,
    planned_at,
    estimated_at,
    actual_at,
    multiIf(
        actual_at IS NOT NULL, 'reported', inferred = 1, 'inferred', overdue_now = 1, 'overdue', 'open'
    ) AS state
FROM shipment_milestones
WHERE shipment_id = ${shipment_id:singlequote}
ORDER BY leg, coalesce(actual_at, estimated_at, planned_at), milestone
