-- one row per kind of exception, also where there is none: kind, open_exceptions (not acknowledged)
SELECT kind, sum(found) AS open_exceptions
FROM
(
    SELECT kind, count() AS found
    FROM exceptions_open
    WHERE acknowledged = 0
        AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
        AND $__conditionalAll(if(carrier = '', '?', carrier) IN (${carrier:singlequote}), $carrier)
        AND $__conditionalAll(
            entity IN
            (SELECT arrayJoin(shipments) FROM order_lines_now WHERE supplier IN (${supplier:singlequote})),
            $supplier
        )
    GROUP BY kind
    UNION ALL
    SELECT
        arrayJoin([
            'late_delivery', 'at_risk', 'overdue_milestone', 'long_dwell', 'condition_excursion', 'quantity_mismatch',
            'negative_stock', 'stockout', 'below_reorder_point', 'lead_time_shift', 'silent_source'
        ]) AS kind,
        0 AS found
)
GROUP BY kind
ORDER BY open_exceptions DESC, kind
