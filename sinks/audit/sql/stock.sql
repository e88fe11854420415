-- One row per position: (entity, figures), the figures in the order of stock_published.sql. Step by step in subqueries,
-- see shipments.sql.
WITH
    kind -> arraySum(move -> if(move.2 = kind, move.5, 0), own) AS sum_of
SELECT
    concat(site, '|', item) AS entity,
    (
        own_unit,
        on_hand,
        reserved,
        quarantined,
        on_hand - reserved - quarantined,
        arraySum(rest -> if(rest.2 OR rest.1 < 0, 0, rest.1), open_rests),
        sum_of(1),
        sum_of(2),
        sum_of(3),
        sum_of(7),
        on_hand - changed,
        sum_of(12),
        sum_of(13),
        sum_of(14),
        sum_of(9),
        sum_of(10),
        sum_of(4),
        arraySum(mismatches),
        -- Where old movements have become an opening balance, the history holds fewer of them.
        if((site, item) IN (SELECT site, item FROM warehouse_events WHERE epoch = 0), 0, toInt64(length(moves))),
        if(empty(moves), NULL, toNullable(moves[-1].1)),
        if(on_hand < 0, toNullable(since), NULL),
        if(on_hand = 0 AND notEmpty(own), toNullable(since), NULL),
        arrayConcat(
            if(on_hand < 0, ['negative_stock'], []),
            if(arrayExists(mismatch -> mismatch != 0, mismatches), ['quantity_mismatch'], []),
            if(is_mixed, ['unit_conflict'], [])
        )
    ) AS figures
FROM
(
    SELECT
        *,
        own[arrayLastIndex(balance -> sign(balance) != sign(on_hand), balances) + 1].1 AS since,
        arrayMap(rest -> if(rest.2 OR rest.1 < 0, rest.1, 0), open_rests) AS mismatches
    FROM
    (
        SELECT
            *,
            if(empty(balances), 0, balances[-1]) AS on_hand,
            arrayFilter(
                rest -> rest.3 = 1,
                arrayMap(
                    (one, before) -> (one.4 - if(before.1 = one.1, before.3, one.5), one.6, one.2),
                    met,
                    arrayShiftRight(met, 1)
                )
            ) AS open_rests
        FROM
        (
            SELECT
                * EXCEPT (running, offsets, came, transits),
                arrayMap((sum, offset) -> sum + offset, running, offsets) AS balances,
                -- Receipts and transits of one shipment beside each other: (shipment_id, is_transit, received, shipped,
                -- delivered, final). Receipts of one shipment that has not told of itself are not looked at.
                arraySort(arrayConcat(
                    arrayMap(
                        (shipment_id, sum, before) -> (shipment_id, 0, sum - before, 0, 0, 0),
                        so_far.1,
                        so_far.2,
                        arrayShiftRight(so_far.2, 1)
                    ),
                    arrayMap(one -> (one.1, 1, 0, one.3, one.4, one.5), arrayFilter(one -> one.2 = own_unit, transits))
                )) AS met
            FROM
            (
                SELECT
                    *,
                    -- A count is a barrier: from it on, on hand is what was counted and what changed since.
                    arrayFill(
                        (offset, move) -> move.2 = 15,
                        arrayMap((move, sum) -> if(move.2 = 15, move.5 - sum, 0), own, running),
                        own
                    ) AS offsets,
                    -- Up to each shipment's last receipt: (shipment_id, received so far).
                    arrayFilter(
                        (one, next) -> one.1 != next,
                        arrayZip(came.1, arrayCumSum(came.3)),
                        arrayShiftLeft(came.1, 1)
                    ) AS so_far
                FROM
                (
                    SELECT
                        *,
                        -- Movements by kind, see warehouse_statements.sql; 7 may have either sign.
                        arrayCumSum(
                            move -> multiIf(move.2 IN (1, 2, 3, 7), move.5, move.2 IN (12, 13, 14), -move.5, 0), own
                        ) AS running,
                        if(empty(running), 0, running[-1]) AS changed,
                        if(empty(moves), transits[1].2, first_unit) AS own_unit,
                        length(own) < length(moves) OR arrayExists(one -> one.2 != own_unit, transits) AS is_mixed,
                        arraySum(move -> multiIf(move.2 = 8, move.5, move.2 = 6, -move.5, 0), own) AS reserved,
                        arraySum(move -> multiIf(move.2 = 11, move.5, move.2 = 5, -move.5, 0), own) AS quarantined,
                        -- Receipts by shipment.
                        arraySort(
                            arrayMap(move -> (move.7, move.1, move.5), arrayFilter(move -> move.2 = 1 AND move.7 != '', own))
                        ) AS came
                    FROM
                    (
                        SELECT
                            *,
                            moves[1].6 AS first_unit,
                            arrayFilter(move -> move.6 = first_unit, moves) AS own
                        FROM
                        (
                            SELECT
                                site,
                                item,
                                groupArrayArray(moved) AS moves,
                                arraySort(groupArrayArray(brought)) AS transits
                            FROM
                            (
                                SELECT site, item, moves AS moved, [] AS brought FROM {{movements}}
                                UNION ALL
                                SELECT site, item, [] AS moved, [brought] AS brought FROM {{transits}}
                            )
                            GROUP BY site, item
                        )
                    )
                    WHERE {{scope}}
                )
            )
        )
    )
)
