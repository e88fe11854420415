-- What the supplier events that count say: one row per event and line, and one per event with an empty line_id.
-- `said`: (seq, number, step, item, quantity, unit, requested, promised, due, cost, currency, shipment_id, occurred) of a
-- line; of an event (seq, number, step, supplier, NULL, buyer, NULL, NULL, NULL, NULL, destination, '', occurred), whose
-- number is 1 where it ends all lines.
WITH
    JSONExtract(
        raw,
        'Tuple(supplier String, buyer String, destination String, shipment_id String, promised_at String, line_ids Array(String), lines Array(Tuple(line_id String, item String, quantity Nullable(String), unit String, requested_at String, promised_at String, unit_cost Nullable(String), currency String)))'
    ) AS told,
    text -> toUnixTimestamp64Milli(parseDateTime64BestEffortOrNull(replaceOne(upper(text), ',', '.'), 3, 'UTC')) AS ms,
    at -> if(by_day, at + 86399999, at) AS due_of,
    text -> if(text IS NULL, NULL, reinterpretAsInt64(toDecimal64OrZero(assumeNotNull(text), 3))) AS thousandths,
    text -> if(text IS NULL, NULL, reinterpretAsInt64(toDecimal128OrZero(assumeNotNull(text), 6))) AS micros,
    (own, shared) -> if(own = '' AND step = 3, shared, own) AS promise_of
SELECT
    order_id,
    line.1 AS line_id,
    line.2 AS said
FROM {{supplier_statements}}
ARRAY JOIN arrayConcat(
    [(
        '',
        (
            seq, toUInt32(step = 5 OR (step = 4 AND empty(told.line_ids))), step, told.supplier, NULL, told.buyer,
            NULL, NULL, NULL, NULL, told.destination, '', occurred
        )
    )],
    arrayMap(
        (one, number) -> (
            one.line_id,
            (
                seq, number, step, one.item, thousandths(one.quantity), one.unit, ms(one.requested_at),
                ms(promise_of(one.promised_at, told.promised_at)),
                due_of(ms(promise_of(one.promised_at, told.promised_at))),
                micros(one.unit_cost), one.currency, told.shipment_id, occurred
            )
        ),
        told.lines,
        arrayEnumerate(told.lines)
    ),
    arrayMap(
        (name, number) -> (name, (seq, number, step, '', NULL, '', NULL, NULL, NULL, NULL, '', '', occurred)),
        told.line_ids,
        arrayEnumerate(told.line_ids)
    )
) AS line
