-- What is watched over time: lead times by day and their control charts, suppliers, stays at places, sources,
-- freshness.

-- One row per measure, route and day (UTC) of finishing: transit, carrier_transit and order_to_delivery as the states
-- have them, dock_to_stock of the last 92 days. Negative durations are findings and left out. Quantiles: the
-- observation of rank ceil(q * n).
CREATE OR REPLACE VIEW lead_time_observations AS
SELECT
    of_routes.1 AS measure, of_routes.2 AS route, toDate32(assumeNotNull(delivered_at), 'UTC') AS day,
    (toUnixTimestamp64Milli(assumeNotNull(delivered_at)) - toUnixTimestamp64Milli(assumeNotNull(departed_at))) AS ms
FROM shipments_now
ARRAY JOIN
    arrayConcat(
        [('transit', toString(lane))],
        if(carrier = '', [], [('carrier_transit', concat(carrier, '|', lane))])
    ) AS of_routes
WHERE delivered_at IS NOT NULL AND departed_at IS NOT NULL AND delivered_at >= departed_at
UNION ALL
SELECT
    'order_to_delivery', concat(supplier, '|', item), toDate32(assumeNotNull(delivered_at), 'UTC'),
    toUnixTimestamp64Milli(assumeNotNull(delivered_at)) - toUnixTimestamp64Milli(assumeNotNull(ordered_at))
FROM order_lines_now
WHERE supplier != '' AND delivered_at IS NOT NULL AND ordered_at IS NOT NULL AND delivered_at >= ordered_at
UNION ALL
SELECT
    'dock_to_stock', site, toDate32(maxIf(occurred_at, type = 'put_away'), 'UTC'),
    toUnixTimestamp64Milli(maxIf(occurred_at, type = 'put_away'))
        - toUnixTimestamp64Milli(minIf(occurred_at, type = 'received')) AS took
FROM warehouse_receipts_since(days = 92)
GROUP BY site, item, receipt
HAVING countIf(type = 'received') > 0
    AND countIf(type = 'put_away') > 0
    AND sumIf(quantity_thousandths, type = 'put_away') >= sumIf(quantity_thousandths, type = 'received')
    AND took >= 0;

CREATE OR REPLACE VIEW lead_time_daily AS
SELECT
    measure,
    route,
    day,
    toUInt64(length(sorted)) AS n,
    sorted[intDiv(n * 50 + 99, 100)] / 86400000 AS p50_days,
    sorted[intDiv(n * 90 + 99, 100)] / 86400000 AS p90_days,
    arrayAvg(sorted) / 86400000 AS mean_days
FROM
(
    SELECT measure, route, day, arraySort(groupArray(ms)) AS sorted
    FROM lead_time_observations
    GROUP BY measure, route, day
);

-- One row per measure, route and day with observations, of the 90 days that end with the route's last such day: an XmR
-- chart (individuals and moving range; Wheeler and Chambers 1992) of the days' mean logarithms, told as days. Limits:
-- centre +/- 2.66 times the mean moving range. Rules: Nelson 1984, 1 (beyond a limit) and 2 (nine in a row on one side
-- of the centre). Only routes with 10 such days or more. What took less than a second counts as a second: nothing has
-- no logarithm. (1e-9: what is the same every day differs by rounding.) lead_time_control_since reads the observations
-- of the last so many days only.
CREATE OR REPLACE VIEW lead_time_control_since AS
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
        SELECT measure, route, arraySort(groupArray((day, value))) AS points
        FROM
        (
            SELECT measure, route, day, avg(log(greatest(ms, 1000) / 86400000)) AS value,
                max(day) OVER (PARTITION BY measure, route) AS last_day
            FROM lead_time_observations
            WHERE day > toDate32(now64(3, 'UTC'), 'UTC') - {days:UInt32}
            GROUP BY measure, route, day
        )
        WHERE day > last_day - 90
        GROUP BY measure, route
        HAVING length(points) >= 10
    )
)
ARRAY JOIN ruled AS point;

CREATE OR REPLACE VIEW lead_time_control AS
SELECT measure, route, day, value_days, centre_days, lower_days, upper_days, rule
FROM lead_time_control_since(days = 40000);

-- The routes whose last day, not more than 28 days ago, breaks a rule; since: the first day of those that break one
-- without a day between that does not. Worked out every ten minutes, since it takes all lead times of 118 days (90
-- before 28).
CREATE MATERIALIZED VIEW IF NOT EXISTS lead_time_shifts
REFRESH EVERY 10 MINUTE
(
    measure LowCardinality(String),
    route String,
    rule LowCardinality(String),
    since Date32,
    value_days Float64,
    centre_days Float64,
    lower_days Float64,
    upper_days Float64
)
ENGINE = MergeTree
ORDER BY (measure, route)
EMPTY
AS SELECT
    measure,
    route,
    last.2 AS rule,
    arrayElement(days, length(days) - length(trailing) + 1).1 AS since,
    last.3 AS value_days,
    last.4 AS centre_days,
    last.5 AS lower_days,
    last.6 AS upper_days
FROM
(
    SELECT
        measure,
        route,
        arraySort(groupArray((day, rule, value_days, centre_days, lower_days, upper_days))) AS days,
        days[length(days)] AS last,
        arraySlice(days, arrayLastIndex(d -> d.2 = '', days) + 1) AS trailing
    FROM lead_time_control_since(days = 118)
    GROUP BY measure, route
)
WHERE last.2 != '' AND last.1 >= toDate32(now64(3, 'UTC'), 'UTC') - 28;

-- One row per order line whose delivery can be judged: it came in full; or its promise is broken, and it was closed
-- short or is still to come. Cancelled lines are judged by nobody.
CREATE OR REPLACE VIEW lines_judged AS
SELECT
    supplier,
    toDate32(assumeNotNull(ifNull(delivered_at, due_at)), 'UTC') AS day,
    delivered_at,
    due_at,
    toUInt8(ifNull(delivered_at <= due_at, 0)) AS on_time,
    toUInt8(isNotNull(delivered_at) AND delivered >= ordered) AS in_full,
    ordered,
    delivered,
    ordered_at,
    promised_at,
    late,
    late_days,
    status
FROM order_lines_now
WHERE isNotNull(delivered_at) OR late_now = 1 OR (status = 'closed' AND ifNull(due_at < now64(3, 'UTC'), 0));

-- One row per supplier and day (UTC): the day on which the line came, else the one on which its promise was broken.
CREATE OR REPLACE VIEW supplier_daily AS
SELECT
    toString(j.supplier) AS supplier,
    j.day AS day,
    count() AS lines,
    countIf(j.on_time = 1) AS on_time,
    countIf(j.in_full = 1) AS in_full,
    countIf(j.on_time = 1 AND j.in_full = 1) AS on_time_in_full,
    countIf(isNull(j.due_at)) AS no_promise,
    avg((toUnixTimestamp64Milli(j.promised_at) - toUnixTimestamp64Milli(j.ordered_at)) / 86400000) AS promised_days_mean,
    avg((toUnixTimestamp64Milli(j.delivered_at) - toUnixTimestamp64Milli(j.ordered_at)) / 86400000) AS actual_days_mean,
    if(countIf(j.late = 1) = 0, NULL, avgIf(j.late_days, j.late = 1)) AS late_days_mean
FROM lines_judged AS j
GROUP BY supplier, day;

-- One row per supplier of any order line. otif_share_90d: of the lines judged in the last 90 days that have a promise,
-- the share that came in full and in time.
CREATE OR REPLACE VIEW supplier_now AS
SELECT
    o.supplier AS supplier,
    j.judged AS lines_90d,
    if(j.promised = 0, NULL, j.kept / j.promised) AS otif_share_90d,
    j.mismatches AS quantity_mismatches,
    o.open AS open_lines,
    o.late AS late_lines
FROM
(
    SELECT
        toString(l.supplier) AS supplier,
        countIf(l.status NOT IN ('delivered', 'cancelled', 'closed')) AS open,
        countIf(l.late_now = 1) AS late
    FROM order_lines_now AS l
    GROUP BY supplier
) AS o
LEFT JOIN
(
    SELECT
        toString(d.supplier) AS supplier,
        count() AS judged,
        countIf(isNotNull(d.due_at)) AS promised,
        countIf(isNotNull(d.due_at) AND d.on_time = 1 AND d.in_full = 1) AS kept,
        countIf(d.delivered != d.ordered AND d.status IN ('delivered', 'closed')) AS mismatches
    FROM lines_judged AS d
    WHERE d.day > toDate32(now64(3, 'UTC'), 'UTC') - 90
    GROUP BY supplier
) AS j ON j.supplier = o.supplier;

-- One row per stay of a shipment at a place: from the first milestone there to the next that takes the goods away
-- (left_at; NULL: they are there), in the order of their times. The place is the first that is told during the stay.
CREATE OR REPLACE VIEW place_stays AS
WITH
    ['at_pickup', 'picked_up', 'gate_in', 'loaded', 'departed', 'arrived', 'discharged', 'customs_hold',
        'customs_released', 'available', 'out_for_delivery', 'delivered', 'returned', 'cancelled'] AS order_of,
    ['picked_up', 'departed', 'out_for_delivery', 'delivered', 'returned', 'cancelled'] AS leaving,
    arraySort(
        arrayFilter(
            m -> m.3 > 0,
            arrayMap(
                (leg, milestone, at, place) -> (
                    assumeNotNull(at), leg, if(isNull(at), 0, indexOf(order_of, toString(milestone))), place,
                    has(leaving, toString(milestone))
                ),
                s.milestones.leg, s.milestones.milestone, s.milestones.actual_at, s.milestones.location
            )
        )
    ) AS reached,
    arraySplit((m, begins) -> begins, reached, arrayPopBack(arrayPushFront(arrayMap(m -> m.5, reached), 0))) AS stays
SELECT
    s.shipment_id AS shipment_id,
    s.lane AS lane,
    s.carrier AS carrier,
    s.final AS final,
    arrayFirst(m -> m.4 != '', arrayFilter(m -> m.5 = 0, stay)).4 AS place,
    stay[1].1 AS since,
    if(stay[length(stay)].5 = 1, stay[length(stay)].1, NULL) AS left_at
FROM shipment_status AS s FINAL
ARRAY JOIN stays AS stay
WHERE s.epoch = (SELECT epoch FROM current_epoch) AND stay[1].5 = 0 AND place != '';

-- How long shipments that left it in the last 90 days stayed at a place. Worked out every ten minutes, since it takes
-- every shipment there is.
CREATE MATERIALIZED VIEW IF NOT EXISTS place_dwell
REFRESH EVERY 10 MINUTE
(
    place String,
    n UInt64,
    p95_ms Int64
)
ENGINE = MergeTree
ORDER BY place
EMPTY
AS SELECT place, count() AS n, arraySort(groupArray(ms))[intDiv(n * 95 + 99, 100)] AS p95_ms
FROM
(
    SELECT place, toUnixTimestamp64Milli(assumeNotNull(left_at)) - toUnixTimestamp64Milli(since) AS ms
    FROM place_stays
    WHERE left_at > now64(3, 'UTC') - INTERVAL 90 DAY AND left_at >= since
)
GROUP BY place;

-- The open shipments that are at a place now. long: longer than 24 hours and than 95 in 100 of those (5 or more) that
-- left the place in the last 90 days; long_since: since when.
CREATE OR REPLACE VIEW dwelling_now AS
SELECT
    s.shipment_id AS shipment_id,
    s.lane AS lane,
    s.carrier AS carrier,
    s.place AS place,
    s.since AS since,
    (toUnixTimestamp64Milli(now64(3, 'UTC')) - toUnixTimestamp64Milli(s.since)) / 3600000 AS hours,
    if(usual.n >= 5, usual.p95_ms / 3600000, NULL) AS p95_hours,
    toUInt8(usual.n >= 5 AND hours >= 24 AND hours >= usual.p95_ms / 3600000) AS long,
    if(long, s.since + toIntervalMillisecond(greatest(usual.p95_ms, 86400000)), NULL) AS long_since
FROM (SELECT shipment_id, lane, carrier, place, since FROM place_stays WHERE final = 0 AND left_at IS NULL) AS s
LEFT JOIN place_dwell AS usual ON usual.place = s.place;

-- The records of suppliers, carriers and warehouses that arrived in the last so many days; identity names the event.
CREATE OR REPLACE VIEW arrivals_since AS
SELECT source, appended_at, recorded_at, occurred_at, retracted, zone_assumed, notEmpty(findings) AS found,
    content_hash, epoch, 1 AS topic, partition, offset, 1 AS happened, sipHash64(order_id, source, event_id) AS identity
FROM supplier_events
WHERE appended_at > now64(3, 'UTC') - toIntervalDay({days:UInt16})
UNION ALL
SELECT source, appended_at, recorded_at, occurred_at, retracted, zone_assumed, notEmpty(findings),
    content_hash, epoch, 2, partition, offset, classifier IN ('', 'actual'), sipHash64(shipment_id, source, event_id)
FROM shipment_events
WHERE appended_at > now64(3, 'UTC') - toIntervalDay({days:UInt16})
UNION ALL
SELECT source, appended_at, recorded_at, occurred_at, retracted, zone_assumed, notEmpty(findings),
    content_hash, epoch, 3, partition, offset, 1, sipHash64(site, item, source, event_id)
FROM warehouse_events
WHERE appended_at > now64(3, 'UTC') - toIntervalDay({days:UInt16});

-- The last arrival of each source on each day. Records that are inserted twice change nothing.
CREATE TABLE IF NOT EXISTS source_days
(
    source LowCardinality(String),
    day Date,
    last SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (source, day);

CREATE MATERIALIZED VIEW IF NOT EXISTS supplier_source_days TO source_days AS
SELECT source, toDate(appended_at, 'UTC') AS day, max(appended_at) AS last
FROM supplier_events
GROUP BY source, day;

CREATE MATERIALIZED VIEW IF NOT EXISTS shipment_source_days TO source_days AS
SELECT source, toDate(appended_at, 'UTC') AS day, max(appended_at) AS last
FROM shipment_events
GROUP BY source, day;

CREATE MATERIALIZED VIEW IF NOT EXISTS warehouse_source_days TO source_days AS
SELECT source, toDate(appended_at, 'UTC') AS day, max(appended_at) AS last
FROM warehouse_events
GROUP BY source, day;

-- What was there before.
INSERT INTO source_days SELECT source, toDate(appended_at, 'UTC') AS day, max(appended_at) FROM supplier_events GROUP BY ALL;
INSERT INTO source_days SELECT source, toDate(appended_at, 'UTC') AS day, max(appended_at) FROM shipment_events GROUP BY ALL;
INSERT INTO source_days SELECT source, toDate(appended_at, 'UTC') AS day, max(appended_at) FROM warehouse_events GROUP BY ALL;

-- One row per source of suppliers', carriers' and warehouses' events that was ever heard of or described: when it was
-- last heard of, and how long its gaps are. Arrivals are taken by minute, so a batch is one.
CREATE OR REPLACE VIEW source_arrivals AS
SELECT
    source,
    heard.last_arrived_at AS last_arrived_at,
    coalesce(told.cadence_s, heard.gap_s) AS usual_gap_s,
    if(
        ifNull(
            toUnixTimestamp64Milli(now64(3, 'UTC'))
                - toUnixTimestamp64Milli(ifNull(heard.last_arrived_at, told.first_described_at)) > 3000 * usual_gap_s, 0
        ),
        ifNull(heard.last_arrived_at, told.first_described_at), NULL
    ) AS silent_since
FROM
(
    SELECT
        toString(ever.source) AS source,
        toNullable(ever.last) AS last_arrived_at,
        often.gap_s AS gap_s
    FROM (SELECT d.source AS source, max(d.last) AS last FROM source_days AS d GROUP BY d.source) AS ever
    LEFT JOIN
    (
        SELECT
            a.source AS source,
            arraySort(groupUniqArray(intDiv(toUnixTimestamp64Milli(a.appended_at), 60000))) AS minutes,
            arraySort(arrayMap((x, y) -> x - y, arrayPopFront(minutes), arrayPopBack(minutes))) AS gaps,
            if(length(gaps) >= 20, toNullable(toFloat64(gaps[intDiv(length(gaps) * 95 + 99, 100)] * 60)), NULL) AS gap_s
        FROM arrivals_since(days = 28) AS a
        GROUP BY a.source
    ) AS often ON often.source = ever.source
) AS heard
FULL JOIN
(
    SELECT source, cadence_s, toNullable(first_described_at) AS first_described_at
    FROM source_reference
) AS told USING (source);

-- One row per source: source_arrivals, and how good what it said in the last 24 hours is. A repeat says what an earlier
-- record of the last 7 days said; a correction (or retraction) says something else of the same event.
CREATE OR REPLACE VIEW source_health AS
SELECT
    source,
    s.last_arrived_at AS last_arrived_at,
    s.usual_gap_s AS usual_gap_s,
    s.silent_since AS silent_since,
    day.events AS events_24h,
    dead.found AS dead_24h,
    late.found AS late_24h,
    day.repeats AS repeats_24h,
    day.corrections AS corrections_24h,
    day.findings AS findings_24h,
    day.assumed AS zone_assumed_24h,
    if(day.delays = 0, NULL, day.p50_s) AS reporting_delay_p50_s,
    if(day.delays = 0, NULL, day.p95_s) AS reporting_delay_p95_s,
    day.ahead AS clock_ahead_24h
FROM source_arrivals AS s
FULL JOIN
(
    SELECT
        toString(one.source) AS source,
        count() AS events,
        countIf(one.said = 'again') AS repeats,
        countIf(one.said = 'otherwise') AS corrections,
        countIf(one.found) AS findings,
        countIf(one.zone_assumed) AS assumed,
        countIf(one.recorded_at > one.appended_at + INTERVAL 1 MINUTE) AS ahead,
        arraySort(groupArrayIf(
            greatest(toUnixTimestamp64Milli(one.appended_at) - toUnixTimestamp64Milli(one.occurred_at), 0),
            one.said = 'first' AND one.happened = 1 AND one.retracted = 0
        )) AS took,
        length(took) AS delays,
        took[intDiv(delays * 50 + 99, 100)] / 1000 AS p50_s,
        took[intDiv(delays * 95 + 99, 100)] / 1000 AS p95_s
    FROM
    (
        SELECT
            a.source AS source, a.appended_at AS appended_at, a.recorded_at AS recorded_at, a.occurred_at AS occurred_at,
            a.retracted AS retracted, a.zone_assumed AS zone_assumed, a.found AS found, a.happened AS happened,
            multiIf(
                row_number() OVER (PARTITION BY a.identity, a.topic ORDER BY a.appended_at, a.epoch, a.partition, a.offset)
                    = 1, 'first',
                row_number() OVER (
                    PARTITION BY a.identity, a.topic, a.content_hash
                    ORDER BY a.appended_at, a.epoch, a.partition, a.offset
                ) = 1, 'otherwise',
                'again'
            ) AS said
        FROM
        (
            SELECT *
            FROM arrivals_since(days = 7)
            WHERE identity IN (SELECT identity FROM arrivals_since(days = 1))
            LIMIT 1 BY epoch, topic, partition, offset
        ) AS a
    ) AS one
    WHERE one.appended_at > now64(3, 'UTC') - INTERVAL 1 DAY
    GROUP BY source
) AS day USING (source)
FULL JOIN
(
    SELECT toString(d.source) AS source, count() AS found
    FROM dead_letters AS d
    WHERE d.arrived_at > now64(3, 'UTC') - INTERVAL 1 DAY AND d.source != ''
    GROUP BY source
) AS dead USING (source)
FULL JOIN
(
    SELECT toString(l.source) AS source, count() AS found
    FROM late_records AS l
    WHERE l.arrived_at > now64(3, 'UTC') - INTERVAL 1 DAY AND l.source != ''
    GROUP BY source
) AS late USING (source);

-- One row per topic that the history keeps: when the newest record arrived (of states: was written), NULL before the
-- first.
CREATE OR REPLACE VIEW topic_freshness AS
SELECT
    topic,
    newest_at,
    if(
        isNull(newest_at), NULL,
        greatest(toUnixTimestamp64Milli(now64(3, 'UTC')) - toUnixTimestamp64Milli(assumeNotNull(newest_at)), 0) / 1000
    ) AS age_s
FROM
(
    SELECT 'supplier.events' AS topic, maxOrNull(appended_at) AS newest_at FROM supplier_events
    UNION ALL
    SELECT 'shipment.events', maxOrNull(appended_at) FROM shipment_events
    UNION ALL
    SELECT 'warehouse.events', maxOrNull(appended_at) FROM warehouse_events
    UNION ALL
    SELECT 'reference.events', maxOrNull(appended_at) FROM reference_events
    UNION ALL
    SELECT 'operator.events', maxOrNull(appended_at) FROM operator_events
    UNION ALL
    SELECT 'order.status', maxOrNull(inserted_at) FROM order_status WHERE epoch = (SELECT epoch FROM current_epoch)
    UNION ALL
    SELECT 'shipment.status', maxOrNull(inserted_at) FROM shipment_status WHERE epoch = (SELECT epoch FROM current_epoch)
    UNION ALL
    SELECT 'stock.positions', maxOrNull(inserted_at) FROM stock_positions WHERE epoch = (SELECT epoch FROM current_epoch)
    UNION ALL
    SELECT 'lead.stats', maxOrNull(inserted_at) FROM lead_stats WHERE epoch = (SELECT epoch FROM current_epoch)
    UNION ALL
    SELECT 'exceptions', maxOrNull(inserted_at) FROM exceptions WHERE epoch = (SELECT epoch FROM current_epoch)
    UNION ALL
    SELECT 'dead.letters', maxOrNull(appended_at) FROM dead_letter_records
    UNION ALL
    SELECT 'late.records', maxOrNull(appended_at) FROM late_event_records
);

-- One row: the newest event of suppliers, carriers and warehouses, and the newest state of the agents.
CREATE OR REPLACE VIEW freshness_now AS
SELECT
    maxIf(t.newest_at, t.topic IN ('supplier.events', 'shipment.events', 'warehouse.events')) AS newest_event_at,
    minIf(t.age_s, t.topic IN ('supplier.events', 'shipment.events', 'warehouse.events')) AS age_s,
    maxIf(t.newest_at, t.topic IN ('order.status', 'shipment.status', 'stock.positions', 'lead.stats', 'exceptions'))
        AS newest_state_at,
    minIf(t.age_s, t.topic IN ('order.status', 'shipment.status', 'stock.positions', 'lead.stats', 'exceptions'))
        AS state_age_s
FROM topic_freshness AS t;
