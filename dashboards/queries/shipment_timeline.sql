-- the milestones of the chosen shipment: time, said (planned, estimated, actual), milestone; in the order of time
SELECT
    assumeNotNull(told.2) AS time,
    told.1 AS said,
    concat(toString(leg), ' ', milestone) AS milestone
FROM
(
    SELECT
        leg,
        toString(milestone) AS milestone,
        arrayJoin([('1 planned', planned_at), ('2 estimated', estimated_at), ('3 actual', actual_at)]) AS told
    FROM shipment_milestones
    WHERE shipment_id = ${shipment_id:singlequote}
)
WHERE told.2 IS NOT NULL
ORDER BY time, said, leg
