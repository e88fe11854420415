-- One row per order of which anything is known. States of lines: 0 announced, 1 placed, 2 confirmed, 3 shipped,
-- 4 partly delivered, 5 delivered, 6 cancelled, 7 closed.
SELECT
    order_id,
    supplier,
    buyer,
    destination,
    lines,
    multiIf(
        notEmpty(going), if(has(states, 5), 'partly_delivered', names[arrayMax(going) + 1]),
        has(states, 5), 'delivered',
        is_closed, 'closed',
        notEmpty(states), 'cancelled',
        'announced'
    ) AS status,
    first_ordered_at,
    if(empty(states), 0, empty(going)) AS final
FROM
(
    SELECT
        *,
        arrayFilter(state -> state < 5, states) AS going,
        [
            'announced', 'placed', 'confirmed', 'shipped', 'partly_delivered', 'delivered', 'cancelled', 'closed'
        ] AS names
    FROM
    (
        SELECT
            order_id,
            any(supplier) AS supplier,
            any(buyer) AS buyer,
            any(destination) AS destination,
            any(is_closed) AS is_closed,
            arraySort(groupArrayIf(line, line_id != '')) AS lines,
            groupUniqArrayIf(line_state, line_id != '') AS states,
            minIf(ordered_at, line_id != '') AS first_ordered_at
        FROM {{order_lines_delivered}}
        GROUP BY order_id
    )
)
