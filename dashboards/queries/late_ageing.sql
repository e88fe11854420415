-- five rows, the youngest first: age (how long past the promise), late (all late shipments of that age)
SELECT
    ['under 4 h', '4 to 24 h', '1 to 3 days', '3 to 7 days', 'over 7 days'][step] AS age,
    sum(found) AS late
FROM
(
    SELECT
        multiIf(late_hours < 4, 1, late_hours < 24, 2, late_hours < 72, 3, late_hours < 168, 4, 5) AS step,
        count() AS found
    FROM late_shipments
    WHERE 1 = 1
        AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
        AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
        AND $__conditionalAll(
            shipment_id IN
            (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
            $supplier
        )
    GROUP BY step
    UNION ALL
    SELECT arrayJoin([1, 2, 3, 4, 5]) AS step, 0 AS found
)
GROUP BY step
ORDER BY step
