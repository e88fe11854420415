-- Orders in brief: of each order and line what is asked over all of them, so that nobody reads whole states for it.
-- Answers and columns stay what they were.

-- One partition per epoch, replaced by version as the states are: as right as these before any merge, whatever comes
-- twice or in another order.
-- lines.day: on which a line is judged (as in supplier_daily). from_at: from when on it is judged although it has not
-- come, where it is open or was closed short (else never). late_ms: how long one that came late was late; of an open one
-- that is not, when it was promised (ms since 1970). promised_ms, actual_ms: from date of order to promise, and to
-- delivery. flags: 1 delivered in full, 2 open, 4 it came (a time is known), 8 it has a promise, 16 came in time,
-- 32 came in full, 64 ended with another quantity than was ordered, 128 came late, 256 promised by day, 512 late_ms is
-- known.
CREATE TABLE IF NOT EXISTS orders_in_brief
(
    epoch UInt64,
    version UInt64,
    order_id String CODEC(ZSTD(1)),
    status LowCardinality(String),
    supplier LowCardinality(String),
    buyer LowCardinality(String),
    destination LowCardinality(String),
    ordered_at Nullable(DateTime64(3, 'UTC')),
    final UInt8,
    lines Nested
    (
        flags UInt16,
        day Date32,
        from_at DateTime64(3, 'UTC'),
        late_ms Int64,
        promised_ms Nullable(Int64),
        actual_ms Nullable(Int64)
    ),
    gone UInt8
)
ENGINE = ReplacingMergeTree(version, gone)
PARTITION BY epoch
ORDER BY (epoch, order_id);

CREATE MATERIALIZED VIEW IF NOT EXISTS order_in_brief TO orders_in_brief AS
WITH
    arrayMap(
        (status, came, due, promised, ordered, delivered, late) ->
            toUInt16(
                (isNotNull(came) OR status = 'delivered')
                + 2 * (status NOT IN ('delivered', 'cancelled', 'closed'))
                + 4 * isNotNull(came)
                + 8 * isNotNull(due)
                + 16 * ifNull(came <= due, 0)
                + 32 * (isNotNull(came) AND delivered >= ordered)
                + 64 * (delivered != ordered AND status IN ('delivered', 'closed'))
                + 128 * (late != 0)
                + 256 * ifNull(due > promised, 0)
                + 512 * (late != 0 OR isNotNull(promised))
            ),
        lines.status, lines.delivered_at, lines.due_at, lines.promised_at, lines.ordered, lines.delivered, lines.late
    ) AS flags_of
SELECT
    epoch, version, order_id, status, supplier, buyer, destination, ordered_at, final,
    flags_of AS `lines.flags`,
    arrayMap(
        (came, due) -> toDate32(coalesce(came, due, toDateTime64(0, 3, 'UTC')), 'UTC'), lines.delivered_at, lines.due_at
    ) AS `lines.day`,
    arrayMap(
        (status, came, due) ->
            if(
                isNotNull(due) AND (status NOT IN ('delivered', 'cancelled') AND (status != 'closed' OR isNull(came))),
                assumeNotNull(due), toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC')
            ),
        lines.status, lines.delivered_at, lines.due_at
    ) AS `lines.from_at`,
    arrayMap(
        (status, late, ms, promised) ->
            multiIf(
                late, ms,
                status NOT IN ('delivered', 'cancelled', 'closed'),
                toUnixTimestamp64Milli(ifNull(promised, toDateTime64(0, 3, 'UTC'))),
                0
            ),
        lines.status, lines.late, lines.late_ms, lines.promised_at
    ) AS `lines.late_ms`,
    arrayMap(
        (promised, ordered) -> toUnixTimestamp64Milli(promised) - toUnixTimestamp64Milli(ordered),
        lines.promised_at, lines.ordered_at
    ) AS `lines.promised_ms`,
    arrayMap(
        (came, ordered) -> toUnixTimestamp64Milli(came) - toUnixTimestamp64Milli(ordered),
        lines.delivered_at, lines.ordered_at
    ) AS `lines.actual_ms`,
    gone
FROM order_status;

-- What was there before; of rows that are there already one is taken.
INSERT INTO orders_in_brief
    (
        epoch, version, order_id, status, supplier, buyer, destination, ordered_at, final, lines.flags, lines.day,
        lines.from_at, lines.late_ms, lines.promised_ms, lines.actual_ms, gone
    )
WITH
    arrayMap(
        (status, came, due, promised, ordered, delivered, late) ->
            toUInt16(
                (isNotNull(came) OR status = 'delivered')
                + 2 * (status NOT IN ('delivered', 'cancelled', 'closed'))
                + 4 * isNotNull(came)
                + 8 * isNotNull(due)
                + 16 * ifNull(came <= due, 0)
                + 32 * (isNotNull(came) AND delivered >= ordered)
                + 64 * (delivered != ordered AND status IN ('delivered', 'closed'))
                + 128 * (late != 0)
                + 256 * ifNull(due > promised, 0)
                + 512 * (late != 0 OR isNotNull(promised))
            ),
        lines.status, lines.delivered_at, lines.due_at, lines.promised_at, lines.ordered, lines.delivered, lines.late
    ) AS flags_of
SELECT
    epoch, version, order_id, status, supplier, buyer, destination, ordered_at, final,
    flags_of AS `lines.flags`,
    arrayMap(
        (came, due) -> toDate32(coalesce(came, due, toDateTime64(0, 3, 'UTC')), 'UTC'), lines.delivered_at, lines.due_at
    ) AS `lines.day`,
    arrayMap(
        (status, came, due) ->
            if(
                isNotNull(due) AND (status NOT IN ('delivered', 'cancelled') AND (status != 'closed' OR isNull(came))),
                assumeNotNull(due), toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC')
            ),
        lines.status, lines.delivered_at, lines.due_at
    ) AS `lines.from_at`,
    arrayMap(
        (status, late, ms, promised) ->
            multiIf(
                late, ms,
                status NOT IN ('delivered', 'cancelled', 'closed'),
                toUnixTimestamp64Milli(ifNull(promised, toDateTime64(0, 3, 'UTC'))),
                0
            ),
        lines.status, lines.late, lines.late_ms, lines.promised_at
    ) AS `lines.late_ms`,
    arrayMap(
        (promised, ordered) -> toUnixTimestamp64Milli(promised) - toUnixTimestamp64Milli(ordered),
        lines.promised_at, lines.ordered_at
    ) AS `lines.promised_ms`,
    arrayMap(
        (came, ordered) -> toUnixTimestamp64Milli(came) - toUnixTimestamp64Milli(ordered),
        lines.delivered_at, lines.ordered_at
    ) AS `lines.actual_ms`,
    gone
FROM order_status;

-- One row per order.
CREATE OR REPLACE VIEW orders_now AS
WITH now64(3, 'UTC') AS moment
SELECT
    s.order_id AS order_id,
    s.status AS status,
    CAST(s.supplier, 'String') AS supplier,
    CAST(s.buyer, 'String') AS buyer,
    CAST(s.destination, 'String') AS destination,
    s.ordered_at AS ordered_at,
    length(s.lines.flags) AS lines,
    arrayCount(flags -> bitTest(flags, 0), s.lines.flags) AS delivered_lines,
    arrayCount(
        (flags, from_at) -> bitTest(flags, 7) OR (bitTest(flags, 1) AND moment > from_at), s.lines.flags, s.lines.from_at
    ) AS late_lines,
    arrayCount(flags -> bitTest(flags, 1), s.lines.flags) AS open_lines,
    s.final AS final,
    s.epoch AS epoch,
    s.version AS version
FROM orders_in_brief AS s FINAL
WHERE s.epoch = (SELECT epoch FROM current_epoch);

-- One row per line of each order. Its columns are joined one by one: of `lines` as a whole all would be read, whatever is
-- asked for.
CREATE OR REPLACE VIEW order_lines_now AS
WITH
    now64(3, 'UTC') AS moment,
    line_status NOT IN ('delivered', 'cancelled', 'closed') AND ifNull(moment > line_due_at, 0) AS overdue,
    toUnixTimestamp64Milli(moment) - toUnixTimestamp64Milli(ifNull(line_promised_at, moment)) AS overdue_ms,
    if(line_late, line_late_ms, if(overdue, overdue_ms, 0)) AS late_ms,
    ifNull(line_due_at > line_promised_at, 0) AS by_day
SELECT
    s.order_id AS order_id,
    line AS line_id,
    s.supplier AS supplier,
    line_item AS item,
    line_unit AS unit,
    line_status AS status,
    reinterpret(line_ordered, 'Decimal(18, 3)') AS ordered,
    reinterpret(line_shipped, 'Decimal(18, 3)') AS shipped,
    reinterpret(line_delivered, 'Decimal(18, 3)') AS delivered,
    line_ordered_at AS ordered_at,
    line_requested_at AS requested_at,
    line_promised_at AS promised_at,
    line_due_at AS due_at,
    line_delivered_at AS delivered_at,
    line_late AS delivered_late,
    toUInt8(overdue) AS late_now,
    toUInt8(line_late OR overdue) AS late,
    if(by_day, toFloat64(intDiv(late_ms, 86400000)), late_ms / 86400000) AS late_days,
    (toUnixTimestamp64Milli(line_delivered_at) - toUnixTimestamp64Milli(line_ordered_at)) / 86400000 AS lead_time_days,
    if(isNull(line_unit_cost_micros), NULL, reinterpret(assumeNotNull(line_unit_cost_micros), 'Decimal(18, 6)'))
        AS unit_cost,
    line_currency AS currency,
    line_shipments AS shipments,
    line_findings AS findings
FROM order_status AS s FINAL
ARRAY JOIN
    s.lines.line_id AS line,
    s.lines.status AS line_status,
    s.lines.item AS line_item,
    s.lines.unit AS line_unit,
    s.lines.ordered AS line_ordered,
    s.lines.shipped AS line_shipped,
    s.lines.delivered AS line_delivered,
    s.lines.ordered_at AS line_ordered_at,
    s.lines.requested_at AS line_requested_at,
    s.lines.promised_at AS line_promised_at,
    s.lines.due_at AS line_due_at,
    s.lines.delivered_at AS line_delivered_at,
    s.lines.late AS line_late,
    s.lines.late_ms AS line_late_ms,
    s.lines.unit_cost_micros AS line_unit_cost_micros,
    s.lines.currency AS line_currency,
    s.lines.shipments AS line_shipments,
    s.lines.findings AS line_findings
WHERE s.epoch = (SELECT epoch FROM current_epoch);

-- One row per supplier and day (UTC): the day on which the line came, else the one on which its promise was broken.
-- lines_judged has these lines one by one.
CREATE OR REPLACE VIEW supplier_daily AS
SELECT
    CAST(supplier_of, 'String') AS supplier,
    judged_on AS day,
    found AS lines,
    on_time,
    in_full,
    on_time_in_full,
    no_promise,
    promised_days_mean,
    actual_days_mean,
    late_days_mean
FROM
(
    WITH
        now64(3, 'UTC') AS moment,
        bitTest(flags, 7) OR (bitTest(flags, 1) AND moment > from_at) AS late,
        multiIf(
            NOT bitTest(flags, 9), 0,
            bitTest(flags, 7), told_ms,
            toUnixTimestamp64Milli(moment) - told_ms
        ) AS late_ms,
        if(bitTest(flags, 8), toFloat64(intDiv(late_ms, 86400000)), late_ms / 86400000) AS late_days
    SELECT
        s.supplier AS supplier_of,
        judged_on,
        count() AS found,
        countIf(bitTest(flags, 4)) AS on_time,
        countIf(bitTest(flags, 5)) AS in_full,
        countIf(bitAnd(flags, 48) = 48) AS on_time_in_full,
        countIf(NOT bitTest(flags, 3)) AS no_promise,
        avg(promised_ms / 86400000) AS promised_days_mean,
        avg(actual_ms / 86400000) AS actual_days_mean,
        if(countIf(late) = 0, NULL, avgIf(late_days, late)) AS late_days_mean
    FROM orders_in_brief AS s FINAL
    ARRAY JOIN
        s.lines.flags AS flags,
        s.lines.day AS judged_on,
        s.lines.from_at AS from_at,
        s.lines.late_ms AS told_ms,
        s.lines.promised_ms AS promised_ms,
        s.lines.actual_ms AS actual_ms
    WHERE s.epoch = (SELECT epoch FROM current_epoch) AND (bitTest(flags, 2) OR moment > from_at)
    GROUP BY supplier_of, judged_on
);

-- One row per supplier of any order line. otif_share_90d: of the lines judged in the last 90 days that have a promise,
-- the share that came in full and in time.
CREATE OR REPLACE VIEW supplier_now AS
SELECT
    CAST(supplier_of, 'String') AS supplier,
    judged AS lines_90d,
    if(promised = 0, NULL, kept / promised) AS otif_share_90d,
    mismatches AS quantity_mismatches,
    open AS open_lines,
    late AS late_lines
FROM
(
    WITH
        now64(3, 'UTC') AS moment,
        toDate32(moment, 'UTC') - 90 AS before,
        arrayFilter(
            (flags, day, from_at) -> day > before AND (bitTest(flags, 2) OR moment > from_at),
            s.lines.flags, s.lines.day, s.lines.from_at
        ) AS recent
    SELECT
        s.supplier AS supplier_of,
        sum(length(recent)) AS judged,
        sum(arrayCount(flags -> bitTest(flags, 3), recent)) AS promised,
        sum(arrayCount(flags -> bitAnd(flags, 56) = 56, recent)) AS kept,
        sum(arrayCount(flags -> bitTest(flags, 6), recent)) AS mismatches,
        sum(arrayCount(flags -> bitTest(flags, 1), s.lines.flags)) AS open,
        sum(
            arrayCount((flags, from_at) -> bitTest(flags, 1) AND moment > from_at, s.lines.flags, s.lines.from_at)
        ) AS late
    FROM orders_in_brief AS s FINAL
    WHERE s.epoch = (SELECT epoch FROM current_epoch) AND notEmpty(s.lines.flags)
    GROUP BY supplier_of
);

-- One row per lane that a shipment has been told of. What is under way there, and late, stands in shipments_under_way.
CREATE OR REPLACE VIEW lanes_now AS
SELECT
    l.lane AS lane,
    splitByChar('>', l.lane)[1] AS origin,
    splitByChar('>', l.lane)[2] AS destination,
    a.latitude AS origin_latitude,
    a.longitude AS origin_longitude,
    b.latitude AS destination_latitude,
    b.longitude AS destination_longitude,
    l.open AS open,
    l.late AS late,
    risky.found AS at_risk,
    if(l.open = 0, NULL, l.late / l.open) AS late_share,
    usual.p50_days AS p50_days,
    usual.p90_days AS p90_days,
    promised.promised_days AS promised_days
FROM
(
    SELECT CAST(found.lane_of, 'String') AS lane, found.open AS open, found.late AS late
    FROM
    (
        SELECT
            s.lane AS lane_of,
            countIf(NOT s.final) AS open,
            countIf(NOT s.final AND ifNull(now64(3, 'UTC') > s.due_at, 0)) AS late
        FROM shipments_under_way AS s FINAL
        WHERE s.epoch = (SELECT epoch FROM current_epoch)
        GROUP BY lane_of
    ) AS found
) AS l
LEFT JOIN (SELECT lane, count() AS found FROM at_risk_shipments GROUP BY lane) AS risky ON risky.lane = l.lane
LEFT JOIN
(
    SELECT route AS lane, p50_ms / 86400000 AS p50_days, p90_ms / 86400000 AS p90_days
    FROM lane_transit_usual
) AS usual ON usual.lane = l.lane
LEFT JOIN lane_reference AS promised ON promised.lane = l.lane
LEFT JOIN site_capacity AS a ON a.site = splitByChar('>', l.lane)[1]
LEFT JOIN site_capacity AS b ON b.site = splitByChar('>', l.lane)[2];
