-- One row per shipment as the shipments agent published it: (entity, figures).
WITH
    moments -> arrayMap(at -> toUnixTimestamp64Milli(at), moments) AS ms
SELECT
    shipment_id AS entity,
    (
        toString(status), leg, final, carrier, toString(mode), origin, destination, lane,
        toUnixTimestamp64Milli(promised_at), toUnixTimestamp64Milli(due_at), toUnixTimestamp64Milli(estimated_at),
        toUnixTimestamp64Milli(departed_at), toUnixTimestamp64Milli(delivered_at), late, late_ms,
        latitude_micros, longitude_micros, toUnixTimestamp64Milli(seen_at), orders, findings,
        arrayZip(
            milestones.leg, arrayMap(name -> toString(name), milestones.milestone), ms(milestones.planned_at),
            ms(milestones.planned_due_at), ms(milestones.estimated_at), ms(milestones.actual_at),
            milestones.inferred, milestones.location
        ),
        arrayZip(
            lines.item, arrayMap(unit -> toString(unit), lines.unit), lines.order_id, lines.line_id, lines.shipped,
            lines.delivered, ms(lines.delivered_at), ms(lines.promised_at), ms(lines.due_at), lines.late, lines.late_ms
        )
    ) AS figures
FROM shipment_status FINAL
WHERE epoch = (SELECT epoch FROM current_epoch) AND gone = 0 AND {{scope}}
