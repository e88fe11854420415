-- What people look at: the states of the newest epoch whose rebuild has ended, with what depends on the time
-- computed here, so that a dead worker cannot silence it. Columns: docs/views.md.

-- One row per order.
CREATE OR REPLACE VIEW orders_now AS
WITH
    now64(3, 'UTC') AS moment,
    arrayMap(status -> status IN ('delivered', 'cancelled', 'closed'), s.lines.status) AS ended
SELECT
    s.order_id AS order_id,
    s.status AS status,
    s.supplier AS supplier,
    s.buyer AS buyer,
    s.destination AS destination,
    s.ordered_at AS ordered_at,
    length(s.lines.line_id) AS lines,
    arrayCount((at, status) -> isNotNull(at) OR status = 'delivered', s.lines.delivered_at, s.lines.status)
        AS delivered_lines,
    arrayCount(
        (late, over, due) -> late OR (NOT over AND ifNull(moment > due, 0)), s.lines.late, ended, s.lines.due_at
    ) AS late_lines,
    arrayCount(over -> NOT over, ended) AS open_lines,
    s.final AS final,
    s.epoch AS epoch,
    s.version AS version
FROM order_status AS s FINAL
WHERE s.epoch = (SELECT epoch FROM current_epoch);

-- One row per line of each order.
CREATE OR REPLACE VIEW order_lines_now AS
WITH
    now64(3, 'UTC') AS moment,
    line.status NOT IN ('delivered', 'cancelled', 'closed') AND ifNull(moment > line.due_at, 0) AS overdue,
    toUnixTimestamp64Milli(moment) - toUnixTimestamp64Milli(ifNull(line.promised_at, moment)) AS overdue_ms,
    if(line.late, line.late_ms, if(overdue, overdue_ms, 0)) AS late_ms,
    ifNull(line.due_at > line.promised_at, 0) AS by_day
SELECT
    s.order_id AS order_id,
    line.line_id AS line_id,
    s.supplier AS supplier,
    line.item AS item,
    line.unit AS unit,
    line.status AS status,
    reinterpret(line.ordered, 'Decimal(18, 3)') AS ordered,
    reinterpret(line.shipped, 'Decimal(18, 3)') AS shipped,
    reinterpret(line.delivered, 'Decimal(18, 3)') AS delivered,
    line.ordered_at AS ordered_at,
    line.requested_at AS requested_at,
    line.promised_at AS promised_at,
    line.due_at AS due_at,
    line.delivered_at AS delivered_at,
    line.late AS delivered_late,
    toUInt8(overdue) AS late_now,
    toUInt8(line.late OR overdue) AS late,
    if(by_day, toFloat64(intDiv(late_ms, 86400000)), late_ms / 86400000) AS late_days,
    (toUnixTimestamp64Milli(line.delivered_at) - toUnixTimestamp64Milli(line.ordered_at)) / 86400000 AS lead_time_days,
    if(isNull(line.unit_cost_micros), NULL, reinterpret(assumeNotNull(line.unit_cost_micros), 'Decimal(18, 6)'))
        AS unit_cost,
    line.currency AS currency,
    line.shipments AS shipments,
    line.findings AS findings
FROM order_status AS s FINAL
ARRAY JOIN s.lines AS line
WHERE s.epoch = (SELECT epoch FROM current_epoch);

-- One row per shipment.
CREATE OR REPLACE VIEW shipments_now AS
WITH
    now64(3, 'UTC') AS moment,
    NOT s.final AND ifNull(moment > s.due_at, 0) AS overdue,
    toUnixTimestamp64Milli(moment) - toUnixTimestamp64Milli(ifNull(s.promised_at, moment)) AS overdue_ms
SELECT
    s.shipment_id AS shipment_id,
    s.status AS status,
    s.leg AS leg,
    s.final AS final,
    toUInt8(NOT s.final) AS open,
    s.carrier AS carrier,
    s.mode AS mode,
    s.origin AS origin,
    s.destination AS destination,
    s.lane AS lane,
    s.promised_at AS promised_at,
    s.due_at AS due_at,
    s.estimated_at AS estimated_at,
    s.departed_at AS departed_at,
    s.delivered_at AS delivered_at,
    s.late AS delivered_late,
    toUInt8(overdue) AS late_now,
    if(s.late, s.late_ms, if(overdue, overdue_ms, 0)) / 3600000 AS late_hours,
    length(s.lines.item) AS lines,
    arrayCount(
        (late, at, due) -> late OR (NOT s.final AND isNull(at) AND ifNull(moment > ifNull(due, s.due_at), 0)),
        s.lines.late, s.lines.delivered_at, s.lines.due_at
    ) AS late_lines,
    s.latitude_micros / 1000000 AS latitude,
    s.longitude_micros / 1000000 AS longitude,
    s.seen_at AS seen_at,
    s.orders AS orders,
    s.findings AS findings,
    s.epoch AS epoch,
    s.version AS version
FROM shipment_status AS s FINAL
WHERE s.epoch = (SELECT epoch FROM current_epoch);

-- The shipments that are open and past due at this moment, and whether somebody has them in hand.
CREATE OR REPLACE VIEW late_shipments AS
SELECT
    shipments_now.*,
    concat('late_delivery/shipment/', shipment_id) AS exception_id,
    toUInt8(in_hand.exception_id != '') AS acknowledged,
    due_at AS late_since
FROM shipments_now
LEFT JOIN acknowledgements_now AS in_hand ON in_hand.exception_id = concat('late_delivery/shipment/', shipment_id)
WHERE late_now = 1;

-- One row per shipment, leg and milestone.
CREATE OR REPLACE VIEW shipment_milestones AS
SELECT
    s.shipment_id AS shipment_id,
    reached.leg AS leg,
    reached.milestone AS milestone,
    reached.planned_at AS planned_at,
    reached.planned_due_at AS planned_due_at,
    reached.estimated_at AS estimated_at,
    reached.actual_at AS actual_at,
    reached.inferred AS inferred,
    reached.location AS location,
    toUInt8(
        NOT s.final AND NOT reached.inferred AND isNull(reached.actual_at)
        AND ifNull(now64(3, 'UTC') > reached.planned_due_at, 0)
    ) AS overdue_now,
    s.lane AS lane,
    s.carrier AS carrier
FROM shipment_status AS s FINAL
ARRAY JOIN s.milestones AS reached
WHERE s.epoch = (SELECT epoch FROM current_epoch);

-- One row per site and item that has moved, is in transit or is missing.
CREATE OR REPLACE VIEW stock_now AS
SELECT
    s.site AS site,
    s.item AS item,
    s.unit AS unit,
    reinterpret(s.on_hand, 'Decimal(18, 3)') AS on_hand,
    reinterpret(s.reserved, 'Decimal(18, 3)') AS reserved,
    reinterpret(s.quarantined, 'Decimal(18, 3)') AS quarantined,
    reinterpret(s.available, 'Decimal(18, 3)') AS available,
    reinterpret(s.in_transit, 'Decimal(18, 3)') AS in_transit,
    reinterpret(s.received, 'Decimal(18, 3)') AS received,
    reinterpret(s.returned, 'Decimal(18, 3)') AS returned,
    reinterpret(s.moved_in, 'Decimal(18, 3)') AS moved_in,
    reinterpret(s.adjusted, 'Decimal(18, 3)') AS adjusted,
    reinterpret(s.count_variance, 'Decimal(18, 3)') AS count_variance,
    reinterpret(s.shipped, 'Decimal(18, 3)') AS shipped,
    reinterpret(s.moved_out, 'Decimal(18, 3)') AS moved_out,
    reinterpret(s.scrapped, 'Decimal(18, 3)') AS scrapped,
    reinterpret(s.picked, 'Decimal(18, 3)') AS picked,
    reinterpret(s.packed, 'Decimal(18, 3)') AS packed,
    reinterpret(s.put_away, 'Decimal(18, 3)') AS put_away,
    reinterpret(s.mismatch, 'Decimal(18, 3)') AS mismatch,
    s.movements AS movements,
    s.last_movement_at AS last_movement_at,
    s.negative_since AS negative_since,
    s.stockout_since AS stockout_since,
    s.findings AS findings,
    s.epoch AS epoch,
    s.version AS version
FROM stock_positions AS s FINAL
WHERE s.epoch = (SELECT epoch FROM current_epoch) AND (s.movements != 0 OR s.in_transit != 0 OR s.mismatch != 0);

-- One row per measure, route and window, and one of all routes together. Sums are exact (Int256) until the last
-- step. The quantiles of all routes come from their merged log buckets (schemas/buckets.py): the value of the
-- bucket that holds the observation of rank ceil(q * n). 1.01 / 0.99 is gamma.
CREATE OR REPLACE VIEW lead_time_stats AS
WITH
    routes AS
    (
        SELECT
            s.measure AS measure,
            s.route AS route,
            s.last_day AS last_day,
            part.1 AS window,
            part.2 AS n,
            part.3 AS negative,
            part.4 AS total,
            part.5 AS squares,
            part.6 AS p50,
            part.7 AS p90,
            part.8 AS p95,
            part.9 AS buckets,
            part.10 AS counts
        FROM lead_stats AS s FINAL
        ARRAY JOIN
        [
            (
                '90d', s.recent_count, s.recent_negative, toInt256(s.recent_total), s.recent_squares,
                s.recent_p50, s.recent_p90, s.recent_p95, s.recent_buckets, s.recent_counts
            ),
            (
                'all', s.all_count, s.all_negative, toInt256(s.all_total), s.all_squares,
                s.all_p50, s.all_p90, s.all_p95, s.all_buckets, s.all_counts
            )
        ] AS part
        WHERE s.epoch = (SELECT epoch FROM current_epoch) AND (part.2 != 0 OR part.3 != 0)
    ),
    merged AS
    (
        SELECT
            measure,
            window,
            max(last_day) AS last_day,
            sum(n) AS n,
            sum(negative) AS negative,
            sum(total) AS total,
            sum(squares) AS squares,
            sumMap(buckets, counts) AS sketch,
            arrayCumSum(sketch.2) AS ranks,
            arrayMap(
                percent -> sketch.1[arrayFirstIndex(rank -> rank >= intDiv(n * percent + 99, 100), ranks)],
                [50, 90, 95]
            ) AS bucket,
            arrayMap(
                i -> toInt64(if(i = -1, 0, round(2 * pow(1.01 / 0.99, i) / (1.01 / 0.99 + 1)))), bucket
            ) AS quantiles
        FROM routes
        GROUP BY measure, window
    )
SELECT
    measure,
    route,
    window,
    n,
    negative,
    if(n < 1, NULL, toFloat64(total) / n / 86400000) AS mean_days,
    if(
        n < 2, NULL,
        sqrt(toFloat64(toInt256(n) * squares - total * total) / (toFloat64(n) * (n - 1))) / 86400000
    ) AS stddev_days,
    p50 / 86400000 AS p50_days,
    p90 / 86400000 AS p90_days,
    p95 / 86400000 AS p95_days,
    last_day
FROM
(
    SELECT measure, route, window, n, negative, total, squares, p50, p90, p95, last_day
    FROM routes
    UNION ALL
    SELECT
        measure, 'all' AS route, window, n, negative, total, squares,
        if(n < 1, NULL, quantiles[1]) AS p50,
        if(n < 1, NULL, quantiles[2]) AS p90,
        if(n < 1, NULL, quantiles[3]) AS p95,
        last_day
    FROM merged
);

-- One row per open exception. late_delivery and overdue_milestone come from the promise and now(), the other
-- kinds as the agents published them.
CREATE OR REPLACE VIEW exceptions_open AS
WITH found AS
(
    SELECT
        one.exception_id AS exception_id,
        toString(one.kind) AS kind,
        substring(s.entity, 1, position(s.entity, '/') - 1) AS entity_kind,
        substring(s.entity, position(s.entity, '/') + 1) AS entity,
        one.opened_at AS opened_at,
        one.detail AS detail
    FROM exceptions AS s FINAL
    ARRAY JOIN s.open AS one
    WHERE s.epoch = (SELECT epoch FROM current_epoch) AND one.kind NOT IN ('late_delivery', 'overdue_milestone')
    UNION ALL
    SELECT
        concat('late_delivery/shipment/', shipment_id),
        'late_delivery',
        'shipment',
        shipment_id,
        assumeNotNull(due_at),
        concat(
            'Due ', formatDateTime(assumeNotNull(due_at), '%Y-%m-%d %H:%i'),
            ' UTC and not delivered; the last known status is ', status, '.'
        )
    FROM shipments_now
    WHERE late_now = 1
    UNION ALL
    SELECT
        concat('overdue_milestone/shipment/', shipment_id),
        'overdue_milestone',
        'shipment',
        shipment_id,
        min(assumeNotNull(planned_due_at)) AS opened_at,
        concat(
            'Planned and not reported: ',
            arrayStringConcat(
                arrayMap(
                    m -> concat(m.3, ' of leg ', toString(m.2), ', due ', formatDateTime(m.1, '%Y-%m-%d %H:%i'), ' UTC'),
                    arraySort(groupArray((assumeNotNull(planned_due_at), leg, toString(milestone))))
                ), '; '
            ), '.'
        )
    FROM shipment_milestones
    WHERE overdue_now = 1
    GROUP BY shipment_id
)
SELECT
    found.exception_id AS exception_id,
    found.kind AS kind,
    found.entity_kind AS entity_kind,
    found.entity AS entity,
    shipment.lane AS lane,
    shipment.carrier AS carrier,
    if(found.entity_kind = 'stock', substring(found.entity, 1, position(found.entity, '|') - 1), '') AS site,
    if(found.entity_kind = 'stock', substring(found.entity, position(found.entity, '|') + 1), '') AS item,
    found.opened_at AS opened_at,
    found.detail AS detail,
    toUInt8(in_hand.exception_id != '') AS acknowledged,
    in_hand.operator AS acknowledged_by,
    in_hand.until AS acknowledged_until,
    in_hand.note AS note
FROM found
LEFT JOIN acknowledgements_now AS in_hand ON in_hand.exception_id = found.exception_id
LEFT JOIN
(
    SELECT concat('shipment/', shipment_id) AS entity, lane, carrier
    FROM shipments_now
) AS shipment ON shipment.entity = concat(found.entity_kind, '/', found.entity);

-- One row per day (UTC) of delivery, lane and supplier: lines delivered in full, and how many of them in time.
-- The lane is that of the shipment that delivered the line last.
CREATE OR REPLACE VIEW on_time_daily AS
WITH
    shipped AS
    (
        SELECT
            order_id, line_id, supplier, delivered_at, due_at, delivered_late, shipment_id
        FROM order_lines_now
        LEFT ARRAY JOIN shipments AS shipment_id
        WHERE delivered_at IS NOT NULL
    ),
    delivered AS
    (
        SELECT
            shipped.order_id AS order_id,
            shipped.line_id AS line_id,
            any(shipped.supplier) AS supplier,
            any(shipped.delivered_at) AS at,
            any(shipped.due_at) AS due,
            any(shipped.delivered_late) AS late,
            argMax(s.lane, (isNotNull(s.delivered_at), ifNull(s.delivered_at, toDateTime64(0, 3, 'UTC')), s.shipment_id))
                AS lane
        FROM shipped
        LEFT JOIN shipments_now AS s ON s.shipment_id = shipped.shipment_id
        GROUP BY order_id, line_id
    )
SELECT
    toDate32(assumeNotNull(at), 'UTC') AS day,
    if(delivered.lane = '', '?>?', delivered.lane) AS lane,
    delivered.supplier AS supplier,
    count() AS lines,
    countIf(isNotNull(due) AND NOT delivered.late) AS on_time,
    countIf(isNotNull(due) AND delivered.late) AS late,
    countIf(isNull(due)) AS no_promise,
    if(on_time + late = 0, NULL, on_time / (on_time + late)) AS on_time_share
FROM delivered
GROUP BY day, lane, supplier;
