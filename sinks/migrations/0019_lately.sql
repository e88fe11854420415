-- What changed lately is at hand too: what new states of orders and shipments say of lead times and deliveries is kept in
-- the order in which it came, so that what a refresh has not seen is read from one place and not looked for among all
-- states. Answers and columns stay what they were.

-- What the new states of the last two days say of lead times, as lead_times_told has it, and when they came.
CREATE TABLE IF NOT EXISTS lead_times_lately
(
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    epoch UInt64,
    version UInt64,
    key UInt64,
    found Nested
    (
        measure LowCardinality(String),
        route String,
        party LowCardinality(String),
        at DateTime64(3, 'UTC'),
        ms Int64
    ),
    gone UInt8
)
ENGINE = MergeTree
PARTITION BY toDate(at)
ORDER BY (epoch, at)
TTL toDateTime(at) + INTERVAL 2 DAY
SETTINGS ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS lead_times_told_lately TO lead_times_lately AS
SELECT
    now64(3, 'UTC') AS at, epoch, version, key, found.measure, found.route, found.party, found.at, found.ms, gone
FROM lead_times_told;

-- lead_times_by_day as before (0016), with a number for each route of a measure, which is quicker to bring together than its
-- name. It is worked out anew at once: nothing is missing in lead_times_lately that is not in it.
DROP VIEW IF EXISTS lead_times_by_day;
CREATE MATERIALIZED VIEW IF NOT EXISTS lead_times_by_day
REFRESH EVERY 20 MINUTE
(
    epoch UInt64,
    measure String,
    day Date32,
    route_key UInt64,
    route String CODEC(ZSTD(1)),
    party LowCardinality(String),
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    ms Int64 CODEC(ZSTD(1)),
    key UInt64,
    as_of DateTime64(3, 'UTC')
)
ENGINE = MergeTree
PARTITION BY (epoch, as_of)
ORDER BY (measure, day, route)
AS SELECT
    t.epoch AS epoch, toString(one.measure) AS measure, toDate32(one.at, 'UTC') AS day,
    sipHash64(measure, one.route) AS route_key, one.route AS route, one.party AS party, one.at AS at, one.ms AS ms,
    t.key AS key, now64(3, 'UTC') AS as_of
FROM lead_times_told AS t FINAL
ARRAY JOIN t.found AS one
PREWHERE t.epoch = (SELECT epoch FROM current_epoch)
SETTINGS max_threads = 1;

-- The orders and shipments that may have changed since lead_times_by_day was worked out: they got a new state.
CREATE OR REPLACE VIEW lead_times_changed AS
SELECT key
FROM lead_times_lately
WHERE epoch = (SELECT epoch FROM current_epoch) AND at >= (SELECT since FROM lead_times_since);

-- As before (0016); of those that changed the newest state that came since, or in the hour before that: a sink that was
-- killed tells again what it told last, and an old state that comes twice is no news.
CREATE OR REPLACE VIEW lead_times_now AS
SELECT measure, route, toString(party) AS party, day, at, ms, route_key
FROM lead_times_by_day
WHERE epoch = (SELECT epoch FROM current_epoch)
    AND (SELECT since FROM lead_times_since) IS NOT NULL
    AND key NOT IN (SELECT key FROM lead_times_changed)
UNION ALL
SELECT
    toString(one.measure) AS measure, one.route, toString(one.party), toDate32(one.at, 'UTC'), one.at, one.ms,
    sipHash64(measure, one.route)
FROM
(
    SELECT *
    FROM lead_times_lately
    WHERE epoch = (SELECT epoch FROM current_epoch)
        AND at >= (SELECT since - INTERVAL 1 HOUR FROM lead_times_since)
        AND key IN (SELECT key FROM lead_times_changed)
    ORDER BY key, version DESC
    LIMIT 1 BY key
)
ARRAY JOIN found AS one
WHERE gone = 0
UNION ALL
SELECT
    toString(one.measure) AS measure, one.route, toString(one.party), toDate32(one.at, 'UTC'), one.at, one.ms,
    sipHash64(measure, one.route)
FROM lead_times_told AS t FINAL
ARRAY JOIN t.found AS one
PREWHERE t.epoch = (SELECT epoch FROM current_epoch) AND (SELECT since FROM lead_times_since) IS NULL;

-- As before (0016). What came to a dock is read from the events as they stand: warehouse_receipts_since chooses between
-- three ways, and to choose takes longer than another measure's whole answer.
CREATE OR REPLACE VIEW lead_time_observations_of AS
SELECT measure, route, day, ms, route_key
FROM lead_times_now
WHERE measure != '' AND ({of:String} = '' OR measure = {of:String})
UNION ALL
SELECT
    'dock_to_stock', site, toDate32(maxIf(occurred_at, type = 'put_away'), 'UTC'),
    toUnixTimestamp64Milli(maxIf(occurred_at, type = 'put_away'))
        - toUnixTimestamp64Milli(minIf(occurred_at, type = 'received')) AS took,
    sipHash64('dock_to_stock', site)
FROM warehouse_events_told(days = 92)
WHERE {of:String} IN ('', 'dock_to_stock')
    AND type IN ('received', 'put_away')
    AND receipt != ''
    AND retracted = 0
    AND occurred_at > now64(3, 'UTC') - INTERVAL 92 DAY
    AND occurred_at <= now64(3, 'UTC')
GROUP BY site, item, receipt
HAVING countIf(type = 'received') > 0
    AND countIf(type = 'put_away') > 0
    AND sumIf(quantity_thousandths, type = 'put_away') >= sumIf(quantity_thousandths, type = 'received')
    AND took >= 0;

-- The routes of a measure that may have ten observations in the last so many days; what changed may count twice.
CREATE OR REPLACE VIEW lead_time_routes_of AS
SELECT route_key
FROM
(
    SELECT route_key
    FROM lead_times_by_day
    WHERE epoch = (SELECT epoch FROM current_epoch)
        AND measure = {of:String}
        AND day > toDate32(now64(3, 'UTC'), 'UTC') - {days:UInt32}
    UNION ALL
    SELECT sipHash64(toString(one.measure), one.route)
    FROM lead_times_lately
    ARRAY JOIN found AS one
    WHERE epoch = (SELECT epoch FROM current_epoch)
        AND at >= (SELECT since - INTERVAL 1 HOUR FROM lead_times_since)
        AND one.measure = {of:String}
)
GROUP BY route_key
HAVING count() >= 10;

-- As before (0016), with routes brought together by their numbers.
CREATE OR REPLACE VIEW lead_time_control_of AS
SELECT
    measure,
    route,
    point.1 AS day,
    exp(point.2) AS value_days,
    exp(centre) AS centre_days,
    exp(centre - reach) AS lower_days,
    exp(centre + reach) AS upper_days,
    point.3 AS rule
FROM
(
    WITH
        arrayMap(p -> p.2, points) AS logs,
        arrayAvg(logs) AS centre,
        2.66 * arrayAvg(arrayMap((a, b) -> abs(a - b), arrayPopFront(logs), arrayPopBack(logs))) AS reach,
        arrayMap(x -> multiIf(x > centre + 1e-9, 1, x < centre - 1e-9, -1, 0), logs) AS sides
    SELECT
        measure,
        route,
        centre,
        reach,
        arrayMap(
            (p, i) -> (
                p.1, p.2,
                multiIf(
                    abs(p.2 - centre) > reach + 1e-9, 'beyond_limit',
                    i >= 9 AND abs(arraySum(arraySlice(sides, i - 8, 9))) = 9, 'run_of_nine',
                    ''
                )
            ),
            points, arrayEnumerate(points)
        ) AS ruled
    FROM
    (
        SELECT
            measure_of AS measure,
            route_of AS route,
            arraySort(arrayFilter(p -> p.1 > last_day - 90, told)) AS points
        FROM
        (
            SELECT
                any(measure_of_day) AS measure_of,
                any(route_of_day) AS route_of,
                groupArray((day, value)) AS told,
                max(day) AS last_day
            FROM
            (
                SELECT
                    route_key,
                    day,
                    any(measure) AS measure_of_day,
                    any(route) AS route_of_day,
                    avg(log(greatest(ms, 1000) / 86400000)) AS value
                FROM lead_time_observations_of(of = {of:String})
                WHERE day > toDate32(now64(3, 'UTC'), 'UTC') - {days:UInt32}
                    AND
                    (
                        {of:String} IN ('', 'dock_to_stock')
                        OR (SELECT since FROM lead_times_since) IS NULL
                        OR route_key IN (SELECT route_key FROM lead_time_routes_of(of = {of:String}, days = {days:UInt32}))
                    )
                GROUP BY route_key, day
            )
            GROUP BY route_key
            HAVING length(told) >= 10
        )
        WHERE length(points) >= 10
    )
)
ARRAY JOIN ruled AS point;

-- The lane of each shipment, and when it came, under the key that lead_times_told gives it. One partition per epoch,
-- replaced by version as the states are.
CREATE TABLE IF NOT EXISTS lanes_told
(
    epoch UInt64,
    version UInt64,
    key UInt64,
    lane LowCardinality(String),
    delivered_at Nullable(DateTime64(3, 'UTC')),
    gone UInt8
)
ENGINE = ReplacingMergeTree(version, gone)
PARTITION BY epoch
ORDER BY (epoch, key);

CREATE MATERIALIZED VIEW IF NOT EXISTS shipment_lanes TO lanes_told AS
SELECT epoch, version, sipHash64('shipment', shipment_id) AS key, lane, delivered_at, gone
FROM shipment_status;

-- What was there before; of rows that are there already one is taken.
INSERT INTO lanes_told (epoch, version, key, lane, delivered_at, gone)
SELECT epoch, version, sipHash64('shipment', shipment_id) AS key, lane, delivered_at, gone
FROM shipment_status;

-- The lines delivered in full that new states of orders told of in the last two days, and when these came. by: the keys
-- of the shipments that brought them.
CREATE TABLE IF NOT EXISTS delivered_lines_lately
(
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    epoch UInt64,
    version UInt64,
    key UInt64,
    supplier LowCardinality(String),
    lines Nested
    (
        line_id String,
        day Date32,
        outcome LowCardinality(String),
        by Array(UInt64)
    ),
    gone UInt8
)
ENGINE = MergeTree
PARTITION BY toDate(at)
ORDER BY (epoch, at)
TTL toDateTime(at) + INTERVAL 2 DAY
SETTINGS ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS order_delivered_lately TO delivered_lines_lately AS
WITH arrayFilter(i -> isNotNull(lines.delivered_at[i]), arrayEnumerate(lines.line_id)) AS ended
SELECT
    now64(3, 'UTC') AS at, epoch, version, sipHash64('order', order_id) AS key, supplier,
    arrayMap(i -> lines.line_id[i], ended) AS `lines.line_id`,
    arrayMap(i -> toDate32(assumeNotNull(lines.delivered_at[i]), 'UTC'), ended) AS `lines.day`,
    arrayMap(i -> multiIf(isNull(lines.due_at[i]), 'no_promise', lines.late[i], 'late', 'on_time'), ended)
        AS `lines.outcome`,
    arrayMap(i -> arrayMap(shipment_id -> sipHash64('shipment', shipment_id), lines.shipments[i]), ended) AS `lines.by`,
    gone
FROM order_status;

-- All lines that were delivered in full, one row each, as on_time_daily counts them. Refreshed while the store is open; it
-- may be missing or old. Its partition says of what epoch and moment it is, so that nothing has to be read for that.
CREATE MATERIALIZED VIEW IF NOT EXISTS delivered_lines
REFRESH EVERY 10 MINUTE
(
    epoch UInt64,
    key UInt64,
    line_id String CODEC(ZSTD(1)),
    day Date32,
    lane LowCardinality(String),
    supplier LowCardinality(String),
    outcome LowCardinality(String),
    by Array(UInt64),
    as_of DateTime64(3, 'UTC')
)
ENGINE = MergeTree
PARTITION BY (epoch, as_of)
ORDER BY (day, lane, supplier)
AS SELECT
    ifNull((SELECT epoch FROM current_epoch), 0) AS epoch,
    told.key AS key,
    told.line_id AS line_id,
    any(told.day) AS day,
    max((isNotNull(l.delivered_at), ifNull(l.delivered_at, toDateTime64(0, 3, 'UTC')), toString(l.lane))).3 AS lane,
    any(told.supplier) AS supplier,
    any(told.outcome) AS outcome,
    groupArrayIf(told.shipment, told.shipment != 0) AS by,
    now64(3, 'UTC') AS as_of
FROM
(
    SELECT
        sipHash64('order', o.order_id) AS key,
        line AS line_id,
        toDate32(assumeNotNull(line_delivered_at), 'UTC') AS day,
        o.supplier AS supplier,
        multiIf(isNull(line_due_at), 'no_promise', line_late, 'late', 'on_time') AS outcome,
        arrayJoin(
            if(empty(line_shipments), [toUInt64(0)], arrayMap(one -> sipHash64('shipment', one), line_shipments))
        ) AS shipment
    FROM order_status AS o FINAL
    ARRAY JOIN
        o.lines.line_id AS line,
        o.lines.delivered_at AS line_delivered_at,
        o.lines.due_at AS line_due_at,
        o.lines.late AS line_late,
        o.lines.shipments AS line_shipments
    PREWHERE o.epoch = (SELECT epoch FROM current_epoch)
    WHERE isNotNull(line_delivered_at)
) AS told
LEFT JOIN
(
    SELECT key, lane, delivered_at
    FROM lanes_told FINAL
    PREWHERE epoch = (SELECT epoch FROM current_epoch)
) AS l ON l.key = told.shipment
GROUP BY told.key, told.line_id;

-- From when on changes are not in delivered_lines for certain, which is some time before its last refresh: a state may
-- be on its way in while it is refreshed. NULL: nothing in it can be used.
CREATE OR REPLACE VIEW on_time_since AS
SELECT if(max(as_of) > now64(3, 'UTC') - INTERVAL 1 DAY, toNullable(max(as_of) - INTERVAL 11 MINUTE), NULL) AS since
FROM delivered_lines
WHERE epoch = (SELECT epoch FROM current_epoch);

-- The keys of the orders and shipments that may have changed since: they got a new state.
CREATE OR REPLACE VIEW on_time_changed AS
SELECT key
FROM lead_times_lately
WHERE epoch = (SELECT epoch FROM current_epoch) AND at >= (SELECT since FROM on_time_since);

-- The lines delivered in full whose lane is looked up at the question: those of orders that changed, and those that a
-- shipment brought that changed. Of orders that changed the newest state that came since, as in lead_times_now. Where
-- delivered_lines cannot be used: all.
CREATE OR REPLACE VIEW delivered_lines_changed AS
SELECT key, line_id, day, toString(supplier) AS supplier, toString(outcome) AS outcome, by
FROM delivered_lines
WHERE epoch = (SELECT epoch FROM current_epoch)
    AND (SELECT since FROM on_time_since) IS NOT NULL
    AND key NOT IN (SELECT key FROM on_time_changed)
    AND arrayExists(one -> one IN (SELECT key FROM on_time_changed), by)
UNION ALL
SELECT key, one.line_id, one.day, toString(supplier), toString(one.outcome), one.by
FROM
(
    SELECT *
    FROM delivered_lines_lately
    WHERE epoch = (SELECT epoch FROM current_epoch)
        AND at >= (SELECT since - INTERVAL 1 HOUR FROM on_time_since)
        AND key IN (SELECT key FROM on_time_changed)
    ORDER BY key, version DESC
    LIMIT 1 BY key
)
ARRAY JOIN lines AS one
WHERE gone = 0
UNION ALL
SELECT
    sipHash64('order', o.order_id), line, toDate32(assumeNotNull(line_delivered_at), 'UTC'), toString(o.supplier),
    multiIf(isNull(line_due_at), 'no_promise', line_late, 'late', 'on_time'),
    arrayMap(one -> sipHash64('shipment', one), line_shipments)
FROM order_status AS o FINAL
ARRAY JOIN
    o.lines.line_id AS line,
    o.lines.delivered_at AS line_delivered_at,
    o.lines.due_at AS line_due_at,
    o.lines.late AS line_late,
    o.lines.shipments AS line_shipments
PREWHERE o.epoch = (SELECT epoch FROM current_epoch) AND (SELECT since FROM on_time_since) IS NULL
WHERE isNotNull(line_delivered_at);

-- The shipments that brought those, and others with them: which can be said without looking for those lines.
CREATE OR REPLACE VIEW lanes_looked_up AS
SELECT key
FROM on_time_changed
UNION ALL
SELECT arrayJoin(arrayFlatten(lines.by))
FROM delivered_lines_lately
WHERE epoch = (SELECT epoch FROM current_epoch) AND at >= (SELECT since - INTERVAL 1 HOUR FROM on_time_since)
UNION ALL
SELECT arrayJoin(by)
FROM delivered_lines
WHERE epoch = (SELECT epoch FROM current_epoch) AND length(by) > 1;

-- One row per day (UTC) of delivery, lane and supplier: lines delivered in full, and how many of them in time. The lane
-- is that of the shipment that delivered the line last (of several at one moment: the last by name). What has not changed
-- since the last refresh comes from delivered_lines.
CREATE OR REPLACE VIEW on_time_daily AS
SELECT
    found.day AS day,
    if(found.lane = '', '?>?', toString(found.lane)) AS lane,
    toString(found.supplier) AS supplier,
    count() AS lines,
    countIf(outcome = 'on_time') AS on_time,
    countIf(outcome = 'late') AS late,
    countIf(outcome = 'no_promise') AS no_promise,
    if(on_time + late = 0, NULL, on_time / (on_time + late)) AS on_time_share
FROM
(
    SELECT day, lane, supplier, outcome
    FROM delivered_lines
    WHERE epoch = (SELECT epoch FROM current_epoch)
        AND (SELECT since FROM on_time_since) IS NOT NULL
        AND key NOT IN (SELECT key FROM on_time_changed)
        AND NOT arrayExists(one -> one IN (SELECT key FROM on_time_changed), by)
    UNION ALL
    SELECT
        any(told.day) AS day,
        max((isNotNull(l.delivered_at), ifNull(l.delivered_at, toDateTime64(0, 3, 'UTC')), toString(l.lane))).3 AS lane,
        any(told.supplier) AS supplier,
        any(told.outcome) AS outcome
    FROM
    (
        SELECT key, line_id, day, supplier, outcome, shipment
        FROM delivered_lines_changed
        LEFT ARRAY JOIN by AS shipment
    ) AS told
    LEFT JOIN
    (
        SELECT key, lane, delivered_at
        FROM
        (
            SELECT *
            FROM lanes_told
            WHERE epoch = (SELECT epoch FROM current_epoch)
                AND ((SELECT since FROM on_time_since) IS NULL OR key IN (SELECT key FROM lanes_looked_up))
            ORDER BY key, version DESC
            LIMIT 1 BY key
        )
        WHERE gone = 0
    ) AS l ON l.key = told.shipment
    GROUP BY told.key, told.line_id
) AS found
GROUP BY found.day, lane, supplier;

-- What these took the place of.
DROP VIEW IF EXISTS order_state_changes;
DROP VIEW IF EXISTS shipment_state_changes;
DROP TABLE IF EXISTS state_changes;
DROP VIEW IF EXISTS order_shipment_orders;
DROP TABLE IF EXISTS shipment_orders;
DROP VIEW IF EXISTS on_time_lines;
