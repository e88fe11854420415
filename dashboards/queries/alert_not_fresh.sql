-- two rows once there is an event, none before: what (events: how old the newest is; states: how much older the
-- newest derived state is), seconds
SELECT told.1 AS what, told.2 AS seconds
FROM
(
    SELECT arrayJoin([
        ('events', toFloat64(assumeNotNull(age_s))),
        ('states', greatest(toFloat64(ifNull(state_age_s, assumeNotNull(age_s))) - toFloat64(assumeNotNull(age_s)), 0))
    ]) AS told
    FROM freshness_now
    WHERE age_s IS NOT NULL
)
ORDER BY what
