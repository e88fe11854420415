-- one row per kind of exception, also where there is none: kind, open_exceptions (not acknowledged)
SELECT kind, sum(found) AS open_exceptions
FROM
(
    SELECT kind, count() AS found
    FROM exceptions_open
    WHERE acknowledged = 0
        AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
        AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
    GROUP BY kind
    UNION ALL
    SELECT
        arrayJoin([
            'late_delivery', 'overdue_milestone', 'quantity_mismatch', 'negative_stock', 'stockout',
            'condition_excursion'
        ]) AS kind,
        0 AS found
)
GROUP BY kind
ORDER BY open_exceptions DESC, kind
