-- Per position its movements in the order in which they are taken (occurred_at, kind, source, event_id), `own_unit`: of
-- the first of them, and `own`: those of that unit, the only ones that are summed.
-- Elements: (occurred, kind, source, event_id, quantity, unit, shipment_id, receipt).
SELECT
    site,
    item,
    moves,
    moves[1].6 AS own_unit,
    arrayFilter(move -> move.6 = own_unit, moves) AS own
FROM
(
    SELECT
        site,
        item,
        arraySort(groupArray((occurred, kind, source, event_id, quantity, own_unit, shipment_id, receipt))) AS moves
    FROM {{warehouse_statements}}
    GROUP BY site, item
)
