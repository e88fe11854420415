-- The shipment events that count, read: what milestones say of the shipment and its lines, where it was seen.
-- Lines: ((order_id, line_id, item), told, number, quantity, unit, promised, due, occurred).
WITH
    JSONExtract(
        if(kind = 'milestone', raw, '{}'),
        'Tuple(location String, mode String, carrier String, origin String, destination String, promised_at String, lines Array(Tuple(item String, quantity String, unit String, order_id String, line_id String, promised_at String)))'
    ) AS said,
    text -> toUnixTimestamp64Milli(parseDateTime64BestEffortOrNull(replaceOne(upper(text), ',', '.'), 3, 'UTC')) AS ms,
    at -> if(by_day, at + 86399999, at) AS due_of
SELECT
    shipment_id,
    kind,
    told,
    occurred,
    due_of(occurred) AS occurred_due,
    said_as,
    place,
    said.location AS location,
    said.mode AS mode,
    said.carrier AS carrier,
    said.origin AS origin,
    said.destination AS destination,
    ms(said.promised_at) AS promised,
    due_of(promised) AS due,
    arrayMap(
        (line, number) -> (
            (if(line.order_id != '', line.order_id, order_id), line.line_id, line.item),
            told,
            number,
            reinterpretAsInt64(toDecimal64OrZero(line.quantity, 3)),
            line.unit,
            ms(line.promised_at),
            due_of(ms(line.promised_at)),
            occurred
        ),
        said.lines,
        arrayEnumerate(said.lines)
    ) AS lines,
    kind = 'milestone' AND said_as = 'actual' AND place % 16 = 12 AS hands_over,
    kind = 'milestone' AND NOT (said_as = 'actual' AND place % 16 IN (12, 13)) AS loads,
    if(kind = 'position', raw, '') AS seen
FROM {{shipment_statements}}
