-- One row per exception that is open by the views and the clock: (entity, figures), see exceptions_published.sql. Since
-- when a position's quantities do not match is not in its view, and is no figure (0).
SELECT
    exception_id AS entity,
    (kind, opened) AS figures
FROM
(
    SELECT exception_id, kind, toUnixTimestamp64Milli(opened_at) AS opened
    FROM exceptions_told
    WHERE kind IN ('late_delivery', 'overdue_milestone') AND opened <= {{told_by}} AND entity NOT IN {{told_in_load}}
    UNION ALL
    SELECT concat(kind, '/shipment/', shipment_id), kind, opened
    FROM
    (
        SELECT 'quantity_mismatch' AS kind, shipment_id, toUnixTimestamp64Milli(assumeNotNull(delivered_at)) AS opened
        FROM shipment_status FINAL
        WHERE epoch = (SELECT epoch FROM current_epoch) AND gone = 0 AND status = 'delivered'
            AND delivered_at IS NOT NULL AND lines.delivered != lines.shipped
    )
    UNION ALL
    SELECT concat(one.1, '/stock/', site, '|', item), one.1, one.2
    FROM
    (
        SELECT
            site,
            item,
            arrayJoin(arrayConcat(
                if(negative_since IS NULL, [], [('negative_stock', toUnixTimestamp64Milli(assumeNotNull(negative_since)))]),
                if(
                    negative_since IS NOT NULL OR stockout_since IS NULL, [],
                    [('stockout', toUnixTimestamp64Milli(assumeNotNull(stockout_since)))]
                ),
                if(has(findings, 'quantity_mismatch'), [('quantity_mismatch', toInt64(0))], [])
            )) AS one
        FROM stock_positions FINAL
        WHERE epoch = (SELECT epoch FROM current_epoch) AND gone = 0
    )
)
WHERE {{scope}}
