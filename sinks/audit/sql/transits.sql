-- What each shipment that has left brings to a position at its destination: of one item the lines in the unit of the
-- first of them. What was returned or cancelled before it was delivered is not on its way any more.
SELECT
    shipment_id,
    destination AS site,
    item,
    argMin((unit, shipped, delivered), first) AS sums,
    any(final) AS final
FROM
(
    SELECT
        shipment_id,
        destination,
        line.1 AS item,
        line.2 AS unit,
        any(final) AS final,
        min(number) AS first,
        sum(line.5) AS shipped,
        sum(line.6) AS delivered
    FROM {{shipments}}
    ARRAY JOIN lines AS line, arrayEnumerate(lines) AS number
    WHERE moving AND destination != '' AND NOT turned_back
    GROUP BY shipment_id, destination, item, unit
)
GROUP BY shipment_id, destination, item
