-- One row per order of which anything is known. States of lines: 0 announced, 1 placed, 2 confirmed, 3 shipped,
-- 4 partly delivered, 5 delivered, 6 cancelled, 7 closed.
SELECT
    order_id,
    any(supplier) AS supplier,
    any(buyer) AS buyer,
    any(destination) AS destination,
    arraySort(groupArrayIf(line, line_id != '')) AS lines,
    groupUniqArrayIf(line_state, line_id != '') AS states,
    arrayFilter(one -> one < 5, states) AS going,
    ['announced', 'placed', 'confirmed', 'shipped', 'partly_delivered', 'delivered', 'cancelled', 'closed'] AS names,
    multiIf(
        notEmpty(going) AND has(states, 5), 'partly_delivered',
        notEmpty(going), names[arrayMax(going) + 1],
        has(states, 5), 'delivered',
        any(is_closed), 'closed',
        notEmpty(states), 'cancelled',
        'announced'
    ) AS status,
    minIf(ordered_at, line_id != '') AS first_ordered_at,
    notEmpty(states) AND empty(going) AS final
FROM {{order_lines_delivered}}
GROUP BY order_id
