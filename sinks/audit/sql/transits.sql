-- What each shipment that has left brings to a position at its destination: of one item the lines in the unit of the
-- first of them. What was returned or cancelled before it was delivered is not on its way any more. `brought`:
-- (shipment_id, unit, shipped, delivered, final).
SELECT
    site,
    one.1 AS item,
    (
        shipment_id,
        one.2,
        arraySum(line -> if((line.1, line.2) = one, line.5, 0), lines),
        arraySum(line -> if((line.1, line.2) = one, line.6, 0), lines),
        final
    ) AS brought
FROM
(
    SELECT
        shipment_id,
        destination AS site,
        final,
        lines,
        arrayMap(
            item -> (item, arrayFirst(line -> line.1 = item, lines).2),
            if(moving AND NOT turned_back, arrayDistinct(lines.1), [])
        ) AS items
    FROM {{shipments}}
    WHERE destination != ''
)
ARRAY JOIN items AS one
