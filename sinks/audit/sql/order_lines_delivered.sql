-- One row per order and line, deliveries counted: `line` as (line_id, status, item, unit, ordered, shipped, delivered,
-- ordered_at, requested_at, promised_at, due_at, delivered_at, late, late_ms, unit_cost_micros, currency, shipments,
-- findings), `line_state` as in orders.sql. Step by step in subqueries: an alias is written out wherever it is used.
SELECT
    order_id,
    supplier,
    buyer,
    destination,
    is_closed,
    line_id,
    item,
    ordered_at,
    delivered_at,
    line_state,
    (
        line_id,
        [
            'announced', 'placed', 'confirmed', 'shipped', 'partly_delivered', 'delivered', 'cancelled', 'closed'
        ][line_state + 1],
        item,
        unit,
        total,
        shipped,
        delivered,
        ordered_at,
        requested_at,
        kept.1,
        kept.2,
        delivered_at,
        late,
        if(late, assumeNotNull(delivered_at) - assumeNotNull(kept.1), 0),
        cost,
        currency,
        arraySort(arrayDistinct(arrayConcat(notified, arrivals.1))),
        arrayConcat(
            if(ifNull(delivered_at < ordered_at, 0), ['delivered_before_ordered'], []),
            if(delivered > total, ['delivered_more_than_ordered'], []),
            if(conflict OR length(counted) < length(arrivals), ['unit_conflict'], [])
        )
    ) AS line
FROM
(
    SELECT
        *,
        ifNull(delivered_at > kept.2, 0) AS late,
        toUInt8(multiIf(
            delivered_at IS NOT NULL, 5,
            own_state >= 3, own_state + 3,
            delivered != 0, 4,
            shipped != 0, 3,
            own_state
        )) AS line_state
    FROM
    (
        SELECT
            *,
            if(completing > 0, toNullable(came[completing].1), NULL) AS delivered_at,
            if(promised.1 IS NOT NULL, promised, (promise.8, promise.9)) AS kept
        FROM
        (
            SELECT
                *,
                multiIf(empty(arrivals), wanted, wanted != 0, wanted, own_state != 0, wanted, shipped) AS total,
                arrayFirstIndex(sum -> sum >= total, arrayCumSum(came.2)) AS completing
            FROM
            (
                SELECT
                    *,
                    arraySum(counted.5) AS shipped,
                    arraySum(counted.6) AS delivered,
                    if(ordered_at IS NOT NULL OR ordered != 0, ordered, announced) AS wanted,
                    arraySort(arrayMap(
                        arrival -> (assumeNotNull(arrival.7), arrival.6),
                        arrayFilter(arrival -> arrival.7 IS NOT NULL AND arrival.6 != 0, counted)
                    )) AS came,
                    arrayFirst(arrival -> arrival.8 IS NOT NULL, counted) AS promise
                FROM
                (
                    SELECT *, arrayFilter(arrival -> arrival.4 = unit, arrivals) AS counted
                    FROM
                    (
                        SELECT
                            *,
                            if(own_unit != '', own_unit, arrivals[1].4) AS unit,
                            if(own_item != '', own_item, arrivals[1].3) AS item
                        FROM {{order_lines}}
                    )
                )
            )
        )
    )
)
