-- Data quality by source: what it said over 7 and 30 days, what was wrong with it, and a score from 0 to 100 whose parts
-- are columns. docs/views.md tells the columns.
--
-- The days are worked out in the background from the raw records, not kept up by views on inserts: whether a record says
-- something new, says it again or says it otherwise depends on what came before it, which no insert knows. So a record
-- that is inserted twice changes nothing, and the sink pays nothing. A day is worked out anew when records have come that
-- it does not know of yet.

-- One row per source and day (UTC) of arrival, by the greatest as_of. considered: how many records of the day and the 30
-- before it were there. delays, ahead: how many fall into each bucket of schemas/buckets.py, by ms.
CREATE TABLE IF NOT EXISTS source_quality_days
(
    source LowCardinality(String),
    day Date,
    considered UInt64,
    as_of DateTime64(3, 'UTC'),
    events UInt64,
    told_of UInt64,
    findings UInt64,
    zone_assumed UInt64,
    clock_ahead UInt64,
    happened UInt64,
    told_late UInt64,
    restated UInt64,
    retractions UInt64,
    repeats UInt64,
    delays Map(Int16, UInt64),
    ahead Map(Int16, UInt64)
)
ENGINE = ReplacingMergeTree(as_of)
ORDER BY (source, day);

-- The records of suppliers, carriers and warehouses as this looks at them. identity names the event; ahead_ms: how far
-- its time of recording is ahead of its arrival; delay_ms: from when it happened (where only the day is known: from the
-- end of that day) to when it was recorded. Openings (epoch 0) are our own.
CREATE OR REPLACE VIEW quality_arrivals AS
SELECT
    source, toDate(appended_at, 'UTC') AS day, appended_at, epoch, 1 AS topic, partition, offset, content_hash, retracted,
    notEmpty(findings) AS found, zone_assumed, 1 AS is_actual, sipHash64(order_id, source, event_id) AS identity,
    toUnixTimestamp64Milli(recorded_at) - toUnixTimestamp64Milli(appended_at) AS ahead_ms,
    toUnixTimestamp64Milli(recorded_at) - toUnixTimestamp64Milli(occurred_at) - if(precision = 'day', 86400000, 0)
        AS delay_ms
FROM supplier_events
WHERE epoch > 0
UNION ALL
SELECT
    source, toDate(appended_at, 'UTC'), appended_at, epoch, 2, partition, offset, content_hash, retracted,
    notEmpty(findings), zone_assumed, classifier IN ('', 'actual'), sipHash64(shipment_id, source, event_id),
    toUnixTimestamp64Milli(recorded_at) - toUnixTimestamp64Milli(appended_at),
    toUnixTimestamp64Milli(recorded_at) - toUnixTimestamp64Milli(occurred_at) - if(precision = 'day', 86400000, 0)
FROM shipment_events
WHERE epoch > 0
UNION ALL
SELECT
    source, toDate(appended_at, 'UTC'), appended_at, epoch, 3, partition, offset, content_hash, retracted,
    notEmpty(findings), zone_assumed, 1, sipHash64(site, item, source, event_id),
    toUnixTimestamp64Milli(recorded_at) - toUnixTimestamp64Milli(appended_at),
    toUnixTimestamp64Milli(recorded_at) - toUnixTimestamp64Milli(occurred_at) - if(precision = 'day', 86400000, 0)
FROM warehouse_events
WHERE epoch > 0;

-- The days of the last 31 that have to be worked out anew, the newest first, for as many as two million records (one day
-- at least): records came for them or for one of the 30 days before, or they were last worked out before they were quite
-- over. sample: of a day with more than a million records one event in so many is looked at.
CREATE OR REPLACE VIEW source_quality_stale AS
SELECT day, considered, sample
FROM
(
    SELECT
        w.day AS day,
        w.considered AS considered,
        w.sample AS sample,
        sum(w.records / w.sample) OVER (ORDER BY w.day DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS together,
        row_number() OVER (ORDER BY w.day DESC) AS place
    FROM
    (
        SELECT
            day,
            records,
            toDateTime64(day + 1, 3, 'UTC') + INTERVAL 10 MINUTE AS settled,
            intDiv(records, 1000000) + 1 AS sample,
            sum(records) OVER (ORDER BY toInt32(day) RANGE BETWEEN 30 PRECEDING AND CURRENT ROW) AS considered
        FROM
        (
            SELECT toDate(hour, 'UTC') AS day, sum(found) AS records
            FROM
            (
                SELECT hour, groupBitmapMerge(offsets) AS found
                FROM event_hours
                WHERE topic IN ('supplier.events', 'shipment.events', 'warehouse.events')
                    AND epoch > 0
                    AND hour >= toStartOfDay(now64(3, 'UTC'), 'UTC') - INTERVAL 62 DAY
                GROUP BY hour, topic, epoch, partition
            )
            GROUP BY day
        )
    ) AS w
    LEFT JOIN
    (
        SELECT d.day AS day, argMax(d.considered, d.as_of) AS considered, max(d.as_of) AS worked_out
        FROM source_quality_days AS d
        GROUP BY d.day
    ) AS k ON k.day = w.day
    WHERE w.day >= toDate(now64(3, 'UTC'), 'UTC') - 31
        AND
        (
            k.considered != w.considered
            OR k.worked_out < w.settled AND now64(3, 'UTC') >= w.settled
        )
)
WHERE together <= 2000000 OR place = 1;

-- Works the days out. A record says something for the first time (no record of that event came in the 30 days before),
-- otherwise (one did), or again (one with the same bytes did). Delays are of what was told for the first time, has
-- happened, and is not withdrawn. It reads the table that it replaces: what it does not work out anew stays.
CREATE MATERIALIZED VIEW IF NOT EXISTS source_quality_worked_out
REFRESH EVERY 5 MINUTE TO source_quality_days
EMPTY
AS WITH
    log(1.01 / 0.99) AS width,
    (
        SELECT if(count() = 0, toDateTime64('2149-01-01 00:00:00', 3, 'UTC'), toDateTime64(min(day), 3, 'UTC'))
        FROM source_quality_stale
    ) AS begins
SELECT
    source, day, considered, as_of, events, told_of, findings, zone_assumed, clock_ahead, happened, told_late, restated,
    retractions, repeats, delays, ahead
FROM source_quality_days FINAL
UNION ALL
SELECT
    one.source AS source,
    one.day AS day,
    any(s.considered) AS considered,
    now64(3, 'UTC') AS as_of,
    any(s.sample) * count() AS events,
    any(s.sample) * uniqExact(one.topic, one.identity) AS told_of,
    any(s.sample) * countIf(one.found) AS findings,
    any(s.sample) * countIf(one.zone_assumed = 1) AS zone_assumed,
    any(s.sample) * countIf(one.ahead_ms > 300000) AS clock_ahead,
    any(s.sample) * countIf(one.is_new) AS happened,
    any(s.sample) * countIf(one.is_new AND one.delay_ms > 86400000) AS told_late,
    any(s.sample) * uniqExactIf((one.topic, one.identity), one.said = 'otherwise' AND one.retracted = 0) AS restated,
    any(s.sample) * countIf(one.said != 'again' AND one.retracted = 1) AS retractions,
    any(s.sample) * countIf(one.said = 'again') AS repeats,
    sumMapIf(
        map(if(one.delay_ms <= 0, -1, toInt16(ceil(log(greatest(one.delay_ms, 1)) / width))), toUInt64(s.sample)), one.is_new
    ) AS delays,
    sumMap(
        map(if(one.ahead_ms <= 0, -1, toInt16(ceil(log(greatest(one.ahead_ms, 1)) / width))), toUInt64(s.sample))
    ) AS ahead
FROM
(
    SELECT
        source, day, topic, identity, retracted, found, zone_assumed, ahead_ms, delay_ms,
        multiIf(
            lagInFrame(toInt32(day), 1, -100) OVER (
                PARTITION BY topic, identity, content_hash
                ORDER BY appended_at, epoch, partition, offset
                ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
            ) >= toInt32(day) - 30, 'again',
            lagInFrame(toInt32(day), 1, -100) OVER (
                PARTITION BY topic, identity
                ORDER BY appended_at, epoch, partition, offset
                ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
            ) >= toInt32(day) - 30, 'otherwise',
            'first'
        ) AS said,
        said = 'first' AND is_actual AND retracted = 0 AS is_new
    FROM
    (
        SELECT *
        FROM quality_arrivals
        WHERE appended_at >= begins - INTERVAL 30 DAY
            AND identity IN
            (
                SELECT told.identity
                FROM quality_arrivals AS told
                INNER JOIN source_quality_stale AS wanted ON wanted.day = told.day
                WHERE told.appended_at >= begins AND told.identity % wanted.sample = 0
            )
        LIMIT 1 BY epoch, topic, partition, offset
    )
) AS one
INNER JOIN source_quality_stale AS s ON s.day = one.day
WHERE one.identity % s.sample = 0 AND one.day >= toDate(begins, 'UTC')
GROUP BY source, day;

-- Per source that reports milestones as they are reached: the shipments of which it did in the last 7 and 30 days (UTC,
-- today included), and of their milestones those that were reached, and those of them that nobody reported (inferred).
CREATE MATERIALIZED VIEW IF NOT EXISTS source_milestones
REFRESH EVERY 10 MINUTE
(
    source LowCardinality(String),
    days UInt8,
    shipments UInt64,
    reached UInt64,
    inferred UInt64
)
ENGINE = MergeTree
ORDER BY (source, days)
EMPTY
AS SELECT told.source AS source, told.days AS days, count() AS shipments, sum(s.reached) AS reached, sum(s.inferred) AS inferred
FROM
(
    SELECT
        source,
        shipment_id,
        arrayJoin(
            arrayFilter(n -> toDate(max(appended_at), 'UTC') > toDate(now64(3, 'UTC'), 'UTC') - n, [toUInt8(7), toUInt8(30)])
        ) AS days
    FROM shipment_events
    WHERE appended_at >= toStartOfDay(now64(3, 'UTC'), 'UTC') - INTERVAL 29 DAY
        AND milestone != '' AND classifier = 'actual' AND retracted = 0
    GROUP BY source, shipment_id
) AS told
INNER JOIN
(
    SELECT
        p.shipment_id AS shipment_id,
        arrayCount((at, skipped) -> skipped OR isNotNull(at), p.milestones.actual_at, p.milestones.inferred) AS reached,
        arrayCount(skipped -> skipped, p.milestones.inferred) AS inferred
    FROM shipment_status AS p FINAL
    WHERE p.epoch = (SELECT epoch FROM current_epoch)
) AS s ON s.shipment_id = told.shipment_id
GROUP BY source, days;

-- The numbers of source_quality_days with what is added up at every question, since it is little: dead letters (rejects)
-- and late records (too_late).
CREATE OR REPLACE VIEW source_quality_counted AS
SELECT
    toString(d.source) AS source, d.day AS day, d.events AS events, d.told_of AS told_of, d.findings AS findings,
    d.zone_assumed AS zone_assumed, d.clock_ahead AS clock_ahead, d.happened AS happened, d.told_late AS told_late,
    d.restated AS restated, d.retractions AS retractions, d.repeats AS repeats,
    toUInt64(0) AS rejects, toUInt64(0) AS too_late
FROM source_quality_days AS d FINAL
UNION ALL
SELECT x.source, toDate(x.appended_at, 'UTC'), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0
FROM dead_letter_records AS x FINAL
WHERE x.source != ''
UNION ALL
SELECT l.source, toDate(l.appended_at, 'UTC'), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1
FROM late_event_records AS l FINAL
WHERE l.source != '';

-- Shares and points, of = 'now': per source over 7 and over 30 days; of = 'day': per source and day.
--
-- The weights: a share of what came times so many points, up to the most that the part can cost. What is in no figure
-- costs most (rejects: all of the 100 points at 20 %; too late: 50 at 20 %), then what makes figures wrong or late
-- (findings: 15 at 10 %; told late: 15 at 50 %; missing milestones: 15 at 30 %; clock: 10 at 10 %), and little what only
-- leaves a doubt or is put right (assumed zones: 4 at 50 %; restated: 3 at 25 %; retracted: 2 at 25 %; repeats: 1 at
-- 50 %). A part of which nothing is known (NULL) costs nothing; the score of a source of which nothing came is NULL.
CREATE OR REPLACE VIEW source_quality_scored AS
WITH
    (share, points, most) -> if(isNull(share), NULL, least(points * share, most)) AS cost
SELECT
    c.source AS source,
    c.days AS days,
    c.day AS day,
    c.events AS events,
    c.told_of AS told_of,
    c.findings AS findings,
    c.zone_assumed AS zone_assumed,
    c.clock_ahead AS clock_ahead,
    c.happened AS happened,
    c.told_late AS told_late,
    c.restated AS restated,
    c.retractions AS retractions,
    c.repeats AS repeats,
    c.rejects AS rejects,
    c.too_late AS too_late,
    m.shipments AS shipments,
    m.reached AS milestones,
    m.inferred AS missing,
    c.rejects / nullIf(c.events + c.rejects, 0) AS rejects_share,
    if(c.events = 0, NULL, least(c.too_late / c.events, 1)) AS too_late_share,
    c.findings / nullIf(c.events, 0) AS findings_share,
    c.told_late / nullIf(c.happened, 0) AS told_late_share,
    m.inferred / nullIf(m.reached, 0) AS missing_share,
    c.clock_ahead / nullIf(c.events, 0) AS clock_ahead_share,
    c.zone_assumed / nullIf(c.events, 0) AS zone_assumed_share,
    c.restated / nullIf(c.told_of, 0) AS restated_share,
    if(c.told_of = 0, NULL, least(c.retractions / c.told_of, 1)) AS retractions_share,
    c.repeats / nullIf(c.events, 0) AS repeats_share,
    cost(rejects_share, 500, 100) AS lost_rejects,
    cost(too_late_share, 250, 50) AS lost_too_late,
    cost(findings_share, 150, 15) AS lost_findings,
    cost(told_late_share, 30, 15) AS lost_told_late,
    cost(missing_share, 50, 15) AS lost_missing,
    cost(clock_ahead_share, 100, 10) AS lost_clock_ahead,
    cost(zone_assumed_share, 8, 4) AS lost_zone_assumed,
    cost(restated_share, 12, 3) AS lost_restated,
    cost(retractions_share, 8, 2) AS lost_retractions,
    cost(repeats_share, 2, 1) AS lost_repeats,
    if(
        c.events + c.rejects = 0,
        NULL,
        greatest(
            100 - ifNull(lost_rejects, 0) - ifNull(lost_too_late, 0) - ifNull(lost_findings, 0) - ifNull(lost_told_late, 0)
                - ifNull(lost_missing, 0) - ifNull(lost_clock_ahead, 0) - ifNull(lost_zone_assumed, 0)
                - ifNull(lost_restated, 0) - ifNull(lost_retractions, 0) - ifNull(lost_repeats, 0),
            0
        )
    ) AS score
FROM
(
    SELECT
        n.source AS source, toUInt8(1) AS days, n.day AS day, sum(n.events) AS events, sum(n.told_of) AS told_of,
        sum(n.findings) AS findings, sum(n.zone_assumed) AS zone_assumed, sum(n.clock_ahead) AS clock_ahead,
        sum(n.happened) AS happened, sum(n.told_late) AS told_late, sum(n.restated) AS restated,
        sum(n.retractions) AS retractions, sum(n.repeats) AS repeats, sum(n.rejects) AS rejects, sum(n.too_late) AS too_late
    FROM source_quality_counted AS n
    WHERE {of:String} = 'day'
    GROUP BY source, day
    UNION ALL
    SELECT
        w.source, span AS days, toDate(now64(3, 'UTC'), 'UTC'), sum(w.events), sum(w.told_of), sum(w.findings),
        sum(w.zone_assumed), sum(w.clock_ahead), sum(w.happened), sum(w.told_late), sum(w.restated), sum(w.retractions),
        sum(w.repeats), sum(w.rejects), sum(w.too_late)
    FROM
    (
        SELECT *, arrayFilter(n -> day > toDate(now64(3, 'UTC'), 'UTC') - n, [toUInt8(7), toUInt8(30)]) AS windows
        FROM source_quality_counted
        WHERE {of:String} = 'now' AND day > toDate(now64(3, 'UTC'), 'UTC') - 30
        UNION ALL
        SELECT DISTINCT toString(known.source), toDate(now64(3, 'UTC'), 'UTC'), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, [7, 30]
        FROM (SELECT source FROM source_days UNION ALL SELECT source FROM source_reference) AS known
        WHERE {of:String} = 'now'
    ) AS w
    ARRAY JOIN w.windows AS span
    GROUP BY w.source, span
) AS c
LEFT JOIN source_milestones AS m ON m.source = c.source AND m.days = c.days;

-- Two rows per source, over the last 7 and 30 days (UTC, today included) of arrival.
CREATE OR REPLACE VIEW source_quality AS
SELECT
    q.source AS source, q.days AS days, q.score AS score, q.events AS events, q.told_of AS told_of,
    q.rejects AS rejects, q.rejects_share AS rejects_share, q.lost_rejects AS lost_rejects,
    q.too_late AS too_late, q.too_late_share AS too_late_share, q.lost_too_late AS lost_too_late,
    q.findings AS findings, q.findings_share AS findings_share, q.lost_findings AS lost_findings,
    q.happened AS happened, q.told_late AS told_late, q.told_late_share AS told_late_share,
    q.lost_told_late AS lost_told_late, t.delay_p50_s AS delay_p50_s, t.delay_p95_s AS delay_p95_s,
    q.shipments AS shipments, q.milestones AS milestones, q.missing AS missing, q.missing_share AS missing_share,
    q.lost_missing AS lost_missing,
    q.clock_ahead AS clock_ahead, q.clock_ahead_share AS clock_ahead_share, q.lost_clock_ahead AS lost_clock_ahead,
    t.clock_ahead_p50_s AS clock_ahead_p50_s,
    q.zone_assumed AS zone_assumed, q.zone_assumed_share AS zone_assumed_share, q.lost_zone_assumed AS lost_zone_assumed,
    q.restated AS restated, q.restated_share AS restated_share, q.lost_restated AS lost_restated,
    q.retractions AS retractions, q.retractions_share AS retractions_share, q.lost_retractions AS lost_retractions,
    q.repeats AS repeats, q.repeats_share AS repeats_share, q.lost_repeats AS lost_repeats,
    t.as_of AS as_of
FROM source_quality_scored(of = 'now') AS q
LEFT JOIN
(
    WITH
        1.01 / 0.99 AS gamma,
        (told, percent) -> if(
            empty(told), NULL,
            arrayFirst(
                b -> b.2 >= intDiv(arraySum(x -> x.2, told) * percent + 99, 100),
                arrayZip(arrayMap(x -> x.1, told), arrayCumSum(x -> x.2, told))
            ).1
        ) AS bucket_of,
        bucket -> if(bucket = -1, 0, round(2 * pow(gamma, bucket) / (gamma + 1))) / 1000 AS seconds_of,
        arraySort(arrayZip(mapKeys(delays_all), mapValues(delays_all))) AS delays_told,
        arraySort(arrayZip(mapKeys(ahead_all), mapValues(ahead_all))) AS ahead_told
    SELECT
        source,
        days,
        as_of,
        seconds_of(bucket_of(delays_told, 50)) AS delay_p50_s,
        seconds_of(bucket_of(delays_told, 95)) AS delay_p95_s,
        seconds_of(bucket_of(ahead_told, 50)) AS clock_ahead_p50_s
    FROM
    (
        SELECT
            toString(d.source) AS source,
            arrayJoin(arrayFilter(n -> d.day > toDate(now64(3, 'UTC'), 'UTC') - n, [toUInt8(7), toUInt8(30)])) AS days,
            toNullable(max(d.as_of)) AS as_of,
            sumMap(d.delays) AS delays_all,
            sumMap(d.ahead) AS ahead_all
        FROM source_quality_days AS d FINAL
        WHERE d.day > toDate(now64(3, 'UTC'), 'UTC') - 30
        GROUP BY source, days
    )
) AS t ON t.source = q.source AND t.days = q.days;

-- One row per source and day (UTC) on which something of it came: the trend. Missing milestones are not known by day.
CREATE OR REPLACE VIEW source_quality_daily AS
SELECT
    q.source AS source, q.day AS day, q.score AS score, q.events AS events, q.told_of AS told_of,
    q.findings AS findings, q.zone_assumed AS zone_assumed, q.clock_ahead AS clock_ahead, q.happened AS happened,
    q.told_late AS told_late, q.restated AS restated, q.retractions AS retractions, q.repeats AS repeats,
    q.rejects AS rejects, q.too_late AS too_late
FROM source_quality_scored(of = 'day') AS q;
