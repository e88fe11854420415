-- The shipment events that count, read: what milestones say of the shipment and its lines, where it was seen.
-- Lines: ((order_id, line_id, item), hands over, told, number, quantity, unit, promised, due, occurred).
WITH
    text -> toUnixTimestamp64Milli(parseDateTime64BestEffortOrNull(replaceOne(upper(text), ',', '.'), 3, 'UTC')) AS ms,
    at -> if(by_day, at + 86399999, at) AS due_of
SELECT
    shipment_id,
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
    promised,
    due_of(promised) AS due,
    arrayMap(
        (line, line_promised, number) -> (
            (if(line.order_id != '', line.order_id, order_id), line.line_id, line.item),
            hands_over,
            told,
            number,
            reinterpretAsInt64(toDecimal64OrZero(line.quantity, 3)),
            line.unit,
            line_promised,
            due_of(line_promised),
            occurred
        ),
        said.lines,
        arrayMap(line -> ms(line.promised_at), said.lines),
        arrayEnumerate(said.lines)
    ) AS lines,
    hands_over,
    kind = 'milestone' AND NOT (said_as = 3 AND place % 16 = 13) AS tells_lines,
    seen
FROM
(
    SELECT
        *,
        ms(said.promised_at) AS promised
    FROM
    (
        SELECT
            shipment_id,
            kind,
            told,
            occurred,
            by_day,
            said_as,
            place,
            order_id,
            JSONExtract(
                if(kind = 'milestone', raw, '{}'),
                'Tuple(location String, mode String, carrier String, origin String, destination String, promised_at String, lines Array(Tuple(item String, quantity String, unit String, order_id String, line_id String, promised_at String)))'
            ) AS said,
            toUInt8(kind = 'milestone' AND said_as = 3 AND place % 16 = 12) AS hands_over,
            if(kind = 'position', raw, '') AS seen
        FROM {{shipment_statements}}
    )
)
