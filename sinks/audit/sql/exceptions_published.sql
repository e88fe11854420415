-- One row per open exception of the kinds that follow from the views at one instant, as the agents published it: (entity,
-- figures). What time opens is told by a tick: what it opened within the last moments is not looked at, nor while history
-- is loaded what it opened since, or for shipments of which something was told since.
SELECT
    exception_id AS entity,
    (kind, if(entity_kind = 'stock' AND kind = 'quantity_mismatch', 0, opened)) AS figures
FROM
(
    SELECT
        one.exception_id AS exception_id,
        toString(one.kind) AS kind,
        substring(s.entity, 1, position(s.entity, '/') - 1) AS entity_kind,
        substring(s.entity, position(s.entity, '/') + 1) AS shipment_id,
        toUnixTimestamp64Milli(one.opened_at) AS opened
    FROM exceptions AS s FINAL
    ARRAY JOIN s.open AS one
    WHERE s.epoch = (SELECT epoch FROM current_epoch) AND s.gone = 0
        AND one.kind IN ('late_delivery', 'overdue_milestone', 'negative_stock', 'stockout', 'quantity_mismatch')
)
WHERE {{scope}}
    AND (
        kind NOT IN ('late_delivery', 'overdue_milestone') OR (opened <= {{told_by}} AND shipment_id NOT IN {{told_in_load}})
    )
