-- one row: where the chosen shipment stands: status, leg, lane, carrier, mode, promised_at, due_at, estimated_at,
-- delivered_at, late_hours, judgement, seen_at, orders, findings
SELECT
    status,
    leg,
    lane,
    carrier,
    mode,
    promised_at,
    due_at,
    estimated_at,
    delivered_at,
    toFloat64(late_hours) AS late_hours,
    multiIf(
        late_now = 1, 'late', delivered_late = 1, 'delivered late', final = 1, 'ended',
        ifNull(estimated_at > due_at, 0), 'at risk by its estimate', 'open'
    ) AS judgement,
    seen_at,
    arrayStringConcat(orders, ', ') AS orders,
    arrayStringConcat(findings, ', ') AS findings
FROM shipments_now
WHERE shipment_id = ${shipment_id:singlequote}
