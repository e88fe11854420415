-- Per position what its movements add up to, in SQL and so without the code that made the openings: (site, item,
-- figures). Movements: (site, item, occurred, kind, source, event_id, quantity, own_unit, shipment_id).
WITH
    arraySort(groupArray((occurred, kind, source, event_id, quantity, own_unit, shipment_id))) AS moves,
    moves[1].6 AS unit,
    arrayFilter(move -> move.6 = unit, moves) AS own,
    arrayMap(
        move -> multiIf(move.2 IN (0, 1, 2, 6), move.5, move.2 IN (11, 12, 13), -move.5, 0), own
    ) AS changes,
    arrayCumSum(changes) AS running,
    arrayFill(
        (offset, move) -> move.2 = 14,
        arrayMap((move, sum) -> if(move.2 = 14, move.5 - sum, 0), own, running),
        own
    ) AS offsets,
    arrayMap((sum, offset) -> sum + offset, running, offsets) AS balances
SELECT
    site,
    item,
    (
        unit,
        length(own) < length(moves),
        balances[-1],
        arrayMap(which -> arraySum(move -> if(move.2 = which, move.5, 0), own), range(14)),
        moves[-1].1,
        if(balances[-1] > 0, 0, own[arrayLastIndex(one -> sign(one) != sign(balances[-1]), balances) + 1].1),
        arrayMap(
            shipment -> (
                shipment,
                arraySum(move -> if(move.2 = 0 AND move.7 = shipment, move.5, 0), own),
                arrayMax(move -> if(move.2 = 0 AND move.7 = shipment, move.1, 0), own)
            ),
            arraySort(arrayDistinct(
                arrayMap(move -> move.7, arrayFilter(move -> move.2 = 0 AND move.7 != '', own))
            ))
        )
    ) AS figures
FROM ({{movements}})
GROUP BY site, item
