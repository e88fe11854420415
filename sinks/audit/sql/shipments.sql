-- One row per shipment of which anything is known: what follows from the last words on it. Step by step in subqueries:
-- the engine writes an alias out wherever it is used, and takes long to analyse what comes of that. Each key of a GROUP
-- BY, and each part of an AND, makes it look through all subqueries below once more: so there are few, high up.
SELECT
    shipment_id,
    multiIf(reached > 0, names[reached % 16 + 1], notEmpty(known), 'planned', 'unknown') AS status,
    toInt64(if(reached > 0, intDiv(reached, 16), 1)) AS leg,
    ended > 0 AS final,
    carrier,
    mode,
    origin,
    destination,
    concat(if(origin = '', '?', origin), '>', if(destination = '', '?', destination)) AS lane,
    promised_at,
    due_at,
    estimated_at,
    departed_at,
    delivered_at,
    late,
    if(late, assumeNotNull(delivered_at) - assumeNotNull(promised_at), 0) AS late_ms,
    if(seen = '', NULL, reinterpretAsInt64(toDecimal64OrZero(JSONExtractString(seen, 'latitude'), 6))) AS latitude_micros,
    if(seen = '', NULL, reinterpretAsInt64(toDecimal64OrZero(JSONExtractString(seen, 'longitude'), 6))) AS longitude_micros,
    seen_at,
    arrayExists(one -> one.1 % 16 >= 2 AND one.1 % 16 != 15, actual) AS moving,
    ended % 16 IN (13, 15) AND delivered = 0 AS turned_back,
    -- Per line: (item, unit, order_id, line_id, shipped, delivered, delivered_at, promised_at, due_at, late, late_ms).
    lines,
    arraySort(arrayDistinct(arrayFilter(order_id -> order_id != '', lines.3))) AS orders,
    if(
        length(arrayDistinct(arrayZip(lines.1, lines.2))) > length(arrayDistinct(lines.1)), ['unit_conflict'], []
    ) AS findings,
    -- Per milestone: (leg, milestone, planned_at, planned_due_at, estimated_at, actual_at, inferred, location).
    arrayMap(
        one -> (
            toInt64(intDiv(one.1, 16)),
            names[one.1 % 16 + 1],
            one.2,
            one.3,
            one.4,
            one.5,
            one.5 IS NULL AND one.1 < overtaken AND one.1 % 16 <= 12,
            one.7
        ),
        known
    ) AS milestones,
    actual
FROM
(
    SELECT
        *,
        if(ended > 0, ended, highest) AS reached,
        if(delivered > 0, 99 * 16 + 12, highest) AS overtaken,
        ifNull(delivered_at > due_at, 0) AS late,
        [
            'booked', 'at_pickup', 'picked_up', 'gate_in', 'loaded', 'departed', 'arrived', 'discharged',
            'customs_hold', 'customs_released', 'available', 'out_for_delivery', 'delivered', 'returned',
            'empty_returned', 'cancelled'
        ] AS names
    FROM
    (
        SELECT
            *,
            multiIf(returned > 0, returned, delivered > 0, delivered, cancelled) AS ended,
            if(delivered > 0, toNullable(delivery.2), NULL) AS delivered_at,
            multiIf(
                departure.1 > 0, toNullable(departure.2),
                pick_up.1 > 0, toNullable(pick_up.2),
                NULL
            ) AS departed_at
        FROM
        (
            SELECT
                *,
                arrayLast(one -> one.1 % 16 NOT IN (12, 13, 14, 15), actual).1 AS highest,
                arrayFirst(one -> one.1 % 16 = 5, actual) AS departure,
                arrayLast(one -> one.1 % 16 = 2, actual) AS pick_up,
                arrayLast(one -> one.1 % 16 = 12, actual) AS delivery,
                delivery.1 AS delivered,
                arrayLast(one -> one.1 % 16 = 13, actual).1 AS returned,
                arrayLast(one -> one.1 % 16 = 15, actual).1 AS cancelled,
                arrayLast(one -> one.1 % 16 = 12 AND one.4 IS NOT NULL, known).4 AS estimated_at,
                arrayMap(
                    line -> (
                        line.1.3,
                        line.2,
                        line.1.1,
                        line.1.2,
                        line.3,
                        line.4,
                        line.5,
                        line.6,
                        line.7,
                        ifNull(line.5 > line.7, 0),
                        if(ifNull(line.5 > line.7, 0), assumeNotNull(line.5) - assumeNotNull(line.6), 0)
                    ),
                    landed
                ) AS lines
            FROM
            (
                SELECT
                    *,
                    -- Milestones that were reported: (place, occurred, location).
                    arrayMap(
                        one -> (one.1, assumeNotNull(one.5), one.6), arrayFilter(one -> one.5 IS NOT NULL, known)
                    ) AS actual
                FROM
                (
                    SELECT
                        shipment_id,
                        carrier,
                        mode,
                        origin,
                        destination,
                        promise.1 AS promised_at,
                        promise.2 AS due_at,
                        seen,
                        seen_at,
                        -- By place what was planned, estimated and reported, which stand beside each other: (place,
                        -- planned_at, planned_due_at, estimated_at, actual_at, reported location, location).
                        arrayFilter(
                            (one, before) -> one.1 != intDiv(before, 4),
                            arrayMap(
                                (one, next, third) -> (
                                    intDiv(one.1, 4),
                                    if(one.1 % 4 = 1, toNullable(one.3), NULL),
                                    if(one.1 % 4 = 1, toNullable(one.4), NULL),
                                    multiIf(
                                        one.1 % 4 = 2, toNullable(one.3),
                                        next.1 = intDiv(one.1, 4) * 4 + 2, toNullable(next.3),
                                        NULL
                                    ),
                                    multiIf(
                                        one.1 % 4 = 3, toNullable(one.3),
                                        next.1 = intDiv(one.1, 4) * 4 + 3, toNullable(next.3),
                                        third.1 = intDiv(one.1, 4) * 4 + 3, toNullable(third.3),
                                        NULL
                                    ),
                                    multiIf(
                                        one.1 % 4 = 3, one.5,
                                        next.1 = intDiv(one.1, 4) * 4 + 3, next.5,
                                        third.1 = intDiv(one.1, 4) * 4 + 3, third.5,
                                        ''
                                    ),
                                    multiIf(
                                        third.5 != '' AND intDiv(third.1, 4) = intDiv(one.1, 4), third.5,
                                        next.5 != '' AND intDiv(next.1, 4) = intDiv(one.1, 4), next.5,
                                        one.5
                                    )
                                ),
                                said,
                                arrayShiftLeft(said, 1),
                                arrayShiftLeft(said, 2)
                            ),
                            arrayShiftRight(said.1, 1)
                        ) AS known,
                        -- What is inside and what was handed over stand beside each other: (key, unit, shipped,
                        -- delivered, delivered_at, promised_at, due_at).
                        arrayFilter(
                            (one, before) -> one.1 != before,
                            arrayMap(
                                (one, next) -> (
                                    one.1,
                                    one.6,
                                    one.5,
                                    multiIf(
                                        one.2 = 1, one.5,
                                        next.1 = one.1, if(next.6 = one.6, next.5, 0),
                                        unnamed IS NOT NULL, one.5,
                                        0
                                    ),
                                    multiIf(one.2 = 1, toNullable(one.9), next.1 = one.1, toNullable(next.9), unnamed),
                                    multiIf(
                                        one.7 IS NOT NULL, one.7,
                                        next.1 = one.1 AND next.7 IS NOT NULL, next.7,
                                        promise.1
                                    ),
                                    multiIf(
                                        one.7 IS NOT NULL, one.8,
                                        next.1 = one.1 AND next.7 IS NOT NULL, next.8,
                                        promise.2
                                    )
                                ),
                                goods,
                                arrayShiftLeft(goods, 1)
                            ),
                            arrayShiftRight(goods.1, 1)
                        ) AS landed
                    FROM {{shipment_words}}
                )
            )
        )
    )
)
