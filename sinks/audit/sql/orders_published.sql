-- One row per order as the orders agent published it: (entity, figures).
WITH
    moments -> arrayMap(at -> toUnixTimestamp64Milli(at), moments) AS ms,
    texts -> arrayMap(text -> toString(text), texts) AS plain
SELECT
    order_id AS entity,
    (
        toString(status), supplier, buyer, destination, toUnixTimestamp64Milli(ordered_at), final,
        arrayZip(
            lines.line_id, plain(lines.status), lines.item, plain(lines.unit), lines.ordered, lines.shipped,
            lines.delivered, ms(lines.ordered_at), ms(lines.requested_at), ms(lines.promised_at), ms(lines.due_at),
            ms(lines.delivered_at), lines.late, lines.late_ms, lines.unit_cost_micros, plain(lines.currency),
            lines.shipments, lines.findings
        )
    ) AS figures
FROM order_status FINAL
WHERE epoch = (SELECT epoch FROM current_epoch) AND gone = 0 AND {{scope}}
