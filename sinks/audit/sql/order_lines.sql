-- One row per order and line (of an order without lines one with an empty line_id): the order's own words, and of the
-- line what its order's events leave of it, before any delivery is counted. States: 0 announced, 1 placed, 2 confirmed,
-- 3 cancelled, 4 closed. Words, see order_facts.sql. Step by step in subqueries, see order_lines_delivered.sql.
SELECT
    order_id,
    supplier,
    buyer,
    destination,
    is_closed,
    line_id,
    arrivals,
    if(notEmpty(words), state, if(is_closed, 4, 0)) AS own_state,
    if(ordered_item != '', ordered_item, first_notice.4) AS own_item,
    if(ordered_unit != '', ordered_unit, first_notice.6) AS own_unit,
    ordered,
    arraySum((one, unit) -> if(one.3 = 3 AND one.6 = unit, assumeNotNull(one.5), 0), words, units) AS announced,
    arrayExists((one, unit) -> one.3 = 3 AND one.6 != unit, words, units) AS conflict,
    requested_at,
    if(promise.8 IS NOT NULL, (promise.8, promise.9), (last_notice.8, last_notice.9)) AS promised,
    priced.10 AS cost,
    priced.11 AS currency,
    ordered_at,
    notified
FROM
(
    SELECT
        *,
        arrayFold(
            (state, code) -> toUInt8(multiIf(
                code = 1, 1,
                code = 2 AND state = 1, 2,
                code = 3, 3,
                code = 4 AND state = 3, 1,
                code = 5 AND state NOT IN (3, 4), 3,
                code = 6 AND state NOT IN (3, 4), 4,
                state
            )),
            steps.3,
            toUInt8(0)
        ) AS state,
        -- The unit that counts at each word: the last one that was ordered, before that the first one announced.
        arrayMap(unit -> if(unit = '', first_notice.6, unit), ordered_units) AS units
    FROM
    (
        SELECT
            *,
            notices[1] AS first_notice,
            notices[-1] AS last_notice,
            arrayMap(one -> one.12, notices) AS notified,
            arrayLast(one -> one.4 != '', orders).4 AS ordered_item,
            arrayLast(one -> one.6 != '', orders).6 AS ordered_unit,
            ifNull(arrayLast(one -> one.5 IS NOT NULL, orders).5, 0) AS ordered,
            arrayLast(one -> one.7 IS NOT NULL, orders).7 AS requested_at,
            arrayLast(one -> one.8 IS NOT NULL, orders) AS promise,
            arrayLast(one -> one.10 IS NOT NULL, orders) AS priced,
            arrayFirst(one -> one.2, arrayMap(one -> (toNullable(one.13), one.3 = 0), orders)).1 AS ordered_at,
            arrayFill(unit -> unit != '', arrayMap(one -> if(one.3 <= 2, one.6, ''), words)) AS ordered_units,
            arraySort(arrayConcat(
                arrayMap(
                    one -> (
                        one.1,
                        one.2,
                        multiIf(
                            one.3 = 0, 1,
                            one.3 = 1, 2,
                            one.3 = 2 AND ifNull(one.5 = 0, 0), 3,
                            one.3 = 2 AND one.5 IS NOT NULL, 4,
                            one.3 = 4, 5,
                            0
                        )
                    ),
                    words
                ),
                arrayFilter(end -> notEmpty(words) AND end.1 > words[1].1, ends)
            )) AS steps
        FROM
        (
            SELECT
                order_id,
                supplier,
                buyer,
                destination,
                is_closed,
                ends,
                line.1 AS line_id,
                line.2 AS words,
                line.3 AS arrivals,
                arrayFilter(one -> one.3 <= 2, words) AS orders,
                arrayFilter(one -> one.3 = 3, words) AS notices
            FROM
            (
                SELECT
                    order_id,
                    lines,
                    arrayLast(event -> event.4 != '', events).4 AS supplier,
                    arrayLast(event -> event.6 != '', events).6 AS buyer,
                    arrayLast(event -> event.11 != '', events).11 AS destination,
                    arrayExists(event -> event.3 = 5, events) AS is_closed,
                    -- What ends all lines, as a step of each of them.
                    arrayMap(
                        end -> (end.1, 0, if(end.3 = 5, 6, 5)), arrayFilter(event -> event.2 = 1, events)
                    ) AS ends
                FROM
                (
                    SELECT
                        order_id,
                        groupArrayArrayIf(said_of_it, line_id = '') AS events,
                        groupArrayIf((line_id, said_of_it, arrived), line_id != '') AS lines
                    FROM
                    (
                        SELECT
                            order_id,
                            line_id,
                            arraySort(groupArrayArray(said_here)) AS said_of_it,
                            arraySort(groupArrayArray(arrived_here)) AS arrived
                        FROM
                        (
                            SELECT order_id, line_id, [said] AS said_here, [] AS arrived_here FROM {{order_facts}}
                            UNION ALL
                            SELECT order_id, line_id, [] AS said_here, [arrival] AS arrived_here FROM {{deliveries}}
                        )
                        GROUP BY order_id, line_id
                    )
                    GROUP BY order_id
                )
            )
            LEFT ARRAY JOIN lines AS line
        )
    )
)
