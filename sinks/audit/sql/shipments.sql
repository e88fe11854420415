-- One row per shipment of which anything is known: what follows from the last words on it.
WITH
    actual.1 AS places,
    places -> arrayMax(places) AS furthest_of,
    arrayMax(arrayFilter(place -> place % 16 NOT IN (12, 13, 14, 15), places)) AS highest,
    arrayMin(arrayFilter(place -> place % 16 = 5, places)) AS departed,
    arrayMax(arrayFilter(place -> place % 16 = 2, places)) AS picked_up,
    arrayMax(arrayFilter(place -> place % 16 = 12, places)) AS delivered,
    arrayMax(arrayFilter(place -> place % 16 = 13, places)) AS returned,
    arrayMax(arrayFilter(place -> place % 16 = 15, places)) AS cancelled,
    multiIf(returned > 0, returned, delivered > 0, delivered, cancelled) AS ended,
    if(ended > 0, ended, highest) AS reached,
    if(delivered > 0, 99 * 16 + 12, highest) AS overtaken,
    (facts, place) -> arrayFirst(fact -> fact.1 = place, facts) AS at_place,
    arrayMax(arrayFilter(place -> place % 16 = 12, estimated.1)) AS estimated_delivery,
    arraySort(arrayDistinct(arrayConcat(planned.1, estimated.1, actual.1))) AS all_places,
    [
        'booked', 'at_pickup', 'picked_up', 'gate_in', 'loaded', 'departed', 'arrived', 'discharged', 'customs_hold',
        'customs_released', 'available', 'out_for_delivery', 'delivered', 'returned', 'empty_returned', 'cancelled'
    ] AS names,
    -- Lines: what is inside and what was handed over, beside each other by their key.
    arraySort(arrayConcat(
        arrayMap(line -> (line.1, 0, line.4, line.5, line.6, line.7, line.8), contents),
        arrayMap(line -> (line.1, 1, line.4, line.5, line.6, line.7, line.8), handed)
    )) AS words,
    arrayFilter(
        (pair, before) -> pair.1.1 != before,
        arrayZip(words, arrayShiftLeft(words, 1)),
        arrayShiftRight(words.1, 1)
    ) AS pairs,
    arrayMap(
        pair -> (
            pair.1 AS inside,
            if(inside.2 = 1, inside, pair.2) AS arrived,
            arrived.1 = inside.1 AND arrived.2 = 1 AS is_named
        ),
        pairs
    ) AS goods
SELECT
    shipment_id,
    multiIf(reached > 0, names[reached % 16 + 1], notEmpty(all_places), 'planned', 'unknown') AS status,
    toInt64(if(reached > 0, intDiv(reached, 16), 1)) AS leg,
    ended > 0 AS final,
    carrier,
    mode,
    origin,
    destination,
    concat(if(origin = '', '?', origin), '>', if(destination = '', '?', destination)) AS lane,
    promise.1 AS promised_at,
    promise.2 AS due_at,
    if(estimated_delivery > 0, toNullable(at_place(estimated, estimated_delivery).3), NULL) AS estimated_at,
    multiIf(
        departed > 0, toNullable(at_place(actual, departed).3),
        picked_up > 0, toNullable(at_place(actual, picked_up).3),
        NULL
    ) AS departed_at,
    if(delivered > 0, toNullable(at_place(actual, delivered).3), NULL) AS delivered_at,
    ifNull(delivered_at > due_at, 0) AS late,
    if(late, assumeNotNull(delivered_at) - assumeNotNull(promised_at), 0) AS late_ms,
    if(seen = '', NULL, reinterpretAsInt64(toDecimal64OrZero(JSONExtractString(seen, 'latitude'), 6))) AS latitude_micros,
    if(seen = '', NULL, reinterpretAsInt64(toDecimal64OrZero(JSONExtractString(seen, 'longitude'), 6))) AS longitude_micros,
    seen_at,
    arrayExists(place -> place % 16 >= 2 AND place % 16 != 15, places) AS moving,
    status IN ('returned', 'cancelled') AND delivered = 0 AS turned_back,
    -- Per line: (item, unit, order_id, line_id, shipped, delivered, delivered_at, promised_at, due_at, late, late_ms).
    arrayMap(
        line -> (
            line.1.1.3,
            line.1.4,
            line.1.1.1,
            line.1.1.2,
            line.1.3,
            multiIf(line.3, if(line.2.4 = line.1.4, line.2.3, 0), unnamed IS NOT NULL, line.1.3, 0),
            if(line.3, toNullable(line.2.7), unnamed) AS arrived_at,
            multiIf(
                line.1.5 IS NOT NULL, (line.1.5, line.1.6),
                line.3 AND line.2.5 IS NOT NULL, (line.2.5, line.2.6),
                promise
            ).1 AS line_promised,
            multiIf(
                line.1.5 IS NOT NULL, (line.1.5, line.1.6),
                line.3 AND line.2.5 IS NOT NULL, (line.2.5, line.2.6),
                promise
            ).2 AS line_due,
            ifNull(arrived_at > line_due, 0) AS is_late,
            if(is_late, assumeNotNull(arrived_at) - assumeNotNull(line_promised), 0)
        ),
        goods
    ) AS lines,
    arraySort(arrayDistinct(arrayFilter(order_id -> order_id != '', lines.3))) AS orders,
    if(
        length(arrayDistinct(arrayZip(lines.1, lines.2))) > length(arrayDistinct(lines.1)), ['unit_conflict'], []
    ) AS findings,
    -- Per milestone: (leg, milestone, planned_at, planned_due_at, estimated_at, actual_at, inferred, location).
    arrayMap(
        place -> (
            toInt64(intDiv(place, 16)),
            names[place % 16 + 1],
            at_place(planned, place) AS plan,
            at_place(estimated, place) AS estimate,
            at_place(actual, place) AS report,
            report.1 = 0 AND place < overtaken AND place % 16 <= 12
        ),
        all_places
    ) AS known_milestones,
    arrayMap(
        known -> (
            known.1,
            known.2,
            if(known.3.1 > 0, toNullable(known.3.3), NULL),
            if(known.3.1 > 0, toNullable(known.3.4), NULL),
            if(known.4.1 > 0, toNullable(known.4.3), NULL),
            if(known.5.1 > 0, toNullable(known.5.3), NULL),
            known.6,
            multiIf(known.5.5 != '', known.5.5, known.4.5 != '', known.4.5, known.3.5)
        ),
        known_milestones
    ) AS milestones,
    actual
FROM {{shipment_words}}
