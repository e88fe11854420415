-- Rollups: what is asked over the whole history is kept added up, and stays exact to the record. Nothing here counts:
-- the incremental views keep sets (of offsets, of statements) or ids, so that a record that is inserted twice, late or
-- again after a crash changes nothing, and what was there before this migration is put in at its end. The two
-- refreshable views only save work: what changed since their last refresh is always worked out from the tables.

-- One event is looked up by its id; the entity leads the sort key.
ALTER TABLE supplier_events ADD INDEX IF NOT EXISTS by_event_id event_id TYPE bloom_filter(0.001) GRANULARITY 1;
ALTER TABLE supplier_events MATERIALIZE INDEX by_event_id SETTINGS mutations_sync = 0;
ALTER TABLE shipment_events ADD INDEX IF NOT EXISTS by_event_id event_id TYPE bloom_filter(0.001) GRANULARITY 1;
ALTER TABLE shipment_events MATERIALIZE INDEX by_event_id SETTINGS mutations_sync = 0;
ALTER TABLE warehouse_events ADD INDEX IF NOT EXISTS by_event_id event_id TYPE bloom_filter(0.001) GRANULARITY 1;
ALTER TABLE warehouse_events MATERIALIZE INDEX by_event_id SETTINGS mutations_sync = 0;
ALTER TABLE reference_events ADD INDEX IF NOT EXISTS by_event_id event_id TYPE bloom_filter(0.001) GRANULARITY 1;
ALTER TABLE reference_events MATERIALIZE INDEX by_event_id SETTINGS mutations_sync = 0;
ALTER TABLE operator_events ADD INDEX IF NOT EXISTS by_event_id event_id TYPE bloom_filter(0.001) GRANULARITY 1;
ALTER TABLE operator_events MATERIALIZE INDEX by_event_id SETTINGS mutations_sync = 0;

-- Of each shipment what can make it late or overdue: of one that is final, or of a milestone that was reached, nothing.
-- One partition per epoch, as the states have them.
CREATE TABLE IF NOT EXISTS shipments_under_way
(
    epoch UInt64,
    version UInt64,
    shipment_id String CODEC(ZSTD(1)),
    final UInt8,
    status LowCardinality(String),
    lane LowCardinality(String),
    carrier LowCardinality(String),
    due_at Nullable(DateTime64(3, 'UTC')),
    awaited Nested
    (
        due_at DateTime64(3, 'UTC'),
        leg Int64,
        milestone LowCardinality(String),
        planned_at Nullable(DateTime64(3, 'UTC')),
        location String
    ),
    gone UInt8
)
ENGINE = ReplacingMergeTree(version, gone)
PARTITION BY epoch
ORDER BY (epoch, shipment_id);

-- The offsets of the records of each hour of arrival.
CREATE TABLE IF NOT EXISTS event_hours
(
    topic LowCardinality(String),
    hour DateTime64(3, 'UTC'),
    epoch UInt64,
    partition UInt32,
    offsets AggregateFunction(groupBitmap, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (topic, hour, epoch, partition);

-- The distinct statements of each day of recorded_at, by their hashes: one statement is always of one day, so days add
-- up. touched: when something was last inserted for the day.
CREATE TABLE IF NOT EXISTS statement_days
(
    topic LowCardinality(String),
    day Date32,
    touched SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    statements AggregateFunction(uniqExact, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (topic, day);

-- Which orders a shipment has ever brought something of.
CREATE TABLE IF NOT EXISTS shipment_orders
(
    shipment_id String CODEC(ZSTD(1)),
    order_id String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (shipment_id, order_id)
SETTINGS index_granularity = 512;

-- Which orders and shipments got a new state, and when; kept for as long as a refresh may fail.
CREATE TABLE IF NOT EXISTS state_changes
(
    kind LowCardinality(String),
    epoch UInt64,
    at DateTime64(3, 'UTC'),
    id String CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(at)
ORDER BY (kind, epoch, at)
TTL toDateTime(at) + INTERVAL 2 DAY
SETTINGS ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS supplier_event_hours TO event_hours AS
SELECT
    'supplier.events' AS topic,
    fromUnixTimestamp64Milli(intDiv(toUnixTimestamp64Milli(appended_at), 3600000) * 3600000, 'UTC') AS hour,
    epoch, partition, groupBitmapState(offset) AS offsets
FROM supplier_events
GROUP BY hour, epoch, partition;

CREATE MATERIALIZED VIEW IF NOT EXISTS supplier_statement_days TO statement_days AS
SELECT
    'supplier.events' AS topic, toDate32(recorded_at, 'UTC') AS day, max(now64(3, 'UTC')) AS touched,
    uniqExactState(sipHash64(source, event_id, recorded_at, retracted, content_hash)) AS statements
FROM supplier_events
GROUP BY day;

CREATE MATERIALIZED VIEW IF NOT EXISTS shipment_event_hours TO event_hours AS
SELECT
    'shipment.events' AS topic,
    fromUnixTimestamp64Milli(intDiv(toUnixTimestamp64Milli(appended_at), 3600000) * 3600000, 'UTC') AS hour,
    epoch, partition, groupBitmapState(offset) AS offsets
FROM shipment_events
GROUP BY hour, epoch, partition;

CREATE MATERIALIZED VIEW IF NOT EXISTS shipment_statement_days TO statement_days AS
SELECT
    'shipment.events' AS topic, toDate32(recorded_at, 'UTC') AS day, max(now64(3, 'UTC')) AS touched,
    uniqExactState(sipHash64(source, event_id, recorded_at, retracted, content_hash)) AS statements
FROM shipment_events
GROUP BY day;

CREATE MATERIALIZED VIEW IF NOT EXISTS warehouse_event_hours TO event_hours AS
SELECT
    'warehouse.events' AS topic,
    fromUnixTimestamp64Milli(intDiv(toUnixTimestamp64Milli(appended_at), 3600000) * 3600000, 'UTC') AS hour,
    epoch, partition, groupBitmapState(offset) AS offsets
FROM warehouse_events
GROUP BY hour, epoch, partition;

CREATE MATERIALIZED VIEW IF NOT EXISTS warehouse_statement_days TO statement_days AS
SELECT
    'warehouse.events' AS topic, toDate32(recorded_at, 'UTC') AS day, max(now64(3, 'UTC')) AS touched,
    uniqExactState(sipHash64(source, event_id, recorded_at, retracted, content_hash)) AS statements
FROM warehouse_events
GROUP BY day;

CREATE MATERIALIZED VIEW IF NOT EXISTS reference_event_hours TO event_hours AS
SELECT
    'reference.events' AS topic,
    fromUnixTimestamp64Milli(intDiv(toUnixTimestamp64Milli(appended_at), 3600000) * 3600000, 'UTC') AS hour,
    epoch, partition, groupBitmapState(offset) AS offsets
FROM reference_events
GROUP BY hour, epoch, partition;

CREATE MATERIALIZED VIEW IF NOT EXISTS reference_statement_days TO statement_days AS
SELECT
    'reference.events' AS topic, toDate32(recorded_at, 'UTC') AS day, max(now64(3, 'UTC')) AS touched,
    uniqExactState(sipHash64(source, event_id, recorded_at, retracted, content_hash)) AS statements
FROM reference_events
GROUP BY day;

CREATE MATERIALIZED VIEW IF NOT EXISTS operator_event_hours TO event_hours AS
SELECT
    'operator.events' AS topic,
    fromUnixTimestamp64Milli(intDiv(toUnixTimestamp64Milli(appended_at), 3600000) * 3600000, 'UTC') AS hour,
    epoch, partition, groupBitmapState(offset) AS offsets
FROM operator_events
GROUP BY hour, epoch, partition;

CREATE MATERIALIZED VIEW IF NOT EXISTS operator_statement_days TO statement_days AS
SELECT
    'operator.events' AS topic, toDate32(recorded_at, 'UTC') AS day, max(now64(3, 'UTC')) AS touched,
    uniqExactState(sipHash64(source, event_id, recorded_at, retracted, content_hash)) AS statements
FROM operator_events
GROUP BY day;

CREATE MATERIALIZED VIEW IF NOT EXISTS shipment_under_way TO shipments_under_way AS
WITH
    arrayFilter(
        i -> NOT final AND NOT milestones.inferred[i] AND isNull(milestones.actual_at[i])
            AND isNotNull(milestones.planned_due_at[i]),
        arrayEnumerate(milestones.leg)
    ) AS waiting
SELECT
    epoch, version, shipment_id, final, if(final, '', status) AS status, lane, carrier, if(final, NULL, due_at) AS due_at,
    arrayMap(i -> assumeNotNull(milestones.planned_due_at[i]), waiting) AS `awaited.due_at`,
    arrayMap(i -> milestones.leg[i], waiting) AS `awaited.leg`,
    arrayMap(i -> toString(milestones.milestone[i]), waiting) AS `awaited.milestone`,
    arrayMap(i -> milestones.planned_at[i], waiting) AS `awaited.planned_at`,
    arrayMap(i -> milestones.location[i], waiting) AS `awaited.location`,
    gone
FROM shipment_status;

CREATE MATERIALIZED VIEW IF NOT EXISTS order_shipment_orders TO shipment_orders AS
SELECT DISTINCT arrayJoin(arrayFlatten(lines.shipments)) AS shipment_id, order_id
FROM order_status;

CREATE MATERIALIZED VIEW IF NOT EXISTS order_state_changes TO state_changes AS
SELECT 'order' AS kind, epoch, now64(3, 'UTC') AS at, order_id AS id
FROM order_status;

CREATE MATERIALIZED VIEW IF NOT EXISTS shipment_state_changes TO state_changes AS
SELECT 'shipment' AS kind, epoch, now64(3, 'UTC') AS at, shipment_id AS id
FROM shipment_status;

-- What was there before.
INSERT INTO event_hours
SELECT
    'supplier.events' AS topic,
    fromUnixTimestamp64Milli(intDiv(toUnixTimestamp64Milli(appended_at), 3600000) * 3600000, 'UTC') AS hour,
    epoch, partition, groupBitmapState(offset) AS offsets
FROM supplier_events
GROUP BY hour, epoch, partition;

INSERT INTO statement_days
SELECT
    'supplier.events' AS topic, toDate32(recorded_at, 'UTC') AS day, max(now64(3, 'UTC')) AS touched,
    uniqExactState(sipHash64(source, event_id, recorded_at, retracted, content_hash)) AS statements
FROM supplier_events
GROUP BY day;

INSERT INTO event_hours
SELECT
    'shipment.events' AS topic,
    fromUnixTimestamp64Milli(intDiv(toUnixTimestamp64Milli(appended_at), 3600000) * 3600000, 'UTC') AS hour,
    epoch, partition, groupBitmapState(offset) AS offsets
FROM shipment_events
GROUP BY hour, epoch, partition;

INSERT INTO statement_days
SELECT
    'shipment.events' AS topic, toDate32(recorded_at, 'UTC') AS day, max(now64(3, 'UTC')) AS touched,
    uniqExactState(sipHash64(source, event_id, recorded_at, retracted, content_hash)) AS statements
FROM shipment_events
GROUP BY day;

INSERT INTO event_hours
SELECT
    'warehouse.events' AS topic,
    fromUnixTimestamp64Milli(intDiv(toUnixTimestamp64Milli(appended_at), 3600000) * 3600000, 'UTC') AS hour,
    epoch, partition, groupBitmapState(offset) AS offsets
FROM warehouse_events
GROUP BY hour, epoch, partition;

INSERT INTO statement_days
SELECT
    'warehouse.events' AS topic, toDate32(recorded_at, 'UTC') AS day, max(now64(3, 'UTC')) AS touched,
    uniqExactState(sipHash64(source, event_id, recorded_at, retracted, content_hash)) AS statements
FROM warehouse_events
GROUP BY day;

INSERT INTO event_hours
SELECT
    'reference.events' AS topic,
    fromUnixTimestamp64Milli(intDiv(toUnixTimestamp64Milli(appended_at), 3600000) * 3600000, 'UTC') AS hour,
    epoch, partition, groupBitmapState(offset) AS offsets
FROM reference_events
GROUP BY hour, epoch, partition;

INSERT INTO statement_days
SELECT
    'reference.events' AS topic, toDate32(recorded_at, 'UTC') AS day, max(now64(3, 'UTC')) AS touched,
    uniqExactState(sipHash64(source, event_id, recorded_at, retracted, content_hash)) AS statements
FROM reference_events
GROUP BY day;

INSERT INTO event_hours
SELECT
    'operator.events' AS topic,
    fromUnixTimestamp64Milli(intDiv(toUnixTimestamp64Milli(appended_at), 3600000) * 3600000, 'UTC') AS hour,
    epoch, partition, groupBitmapState(offset) AS offsets
FROM operator_events
GROUP BY hour, epoch, partition;

INSERT INTO statement_days
SELECT
    'operator.events' AS topic, toDate32(recorded_at, 'UTC') AS day, max(now64(3, 'UTC')) AS touched,
    uniqExactState(sipHash64(source, event_id, recorded_at, retracted, content_hash)) AS statements
FROM operator_events
GROUP BY day;

INSERT INTO shipment_orders
SELECT DISTINCT arrayJoin(arrayFlatten(lines.shipments)) AS shipment_id, order_id
FROM order_status;

INSERT INTO shipments_under_way
    (
        epoch, version, shipment_id, final, status, lane, carrier, due_at, awaited.due_at, awaited.leg,
        awaited.milestone, awaited.planned_at, awaited.location, gone
    )
WITH
    arrayFilter(
        i -> NOT final AND NOT milestones.inferred[i] AND isNull(milestones.actual_at[i])
            AND isNotNull(milestones.planned_due_at[i]),
        arrayEnumerate(milestones.leg)
    ) AS waiting
SELECT
    epoch, version, shipment_id, final, if(final, '', status) AS status, lane, carrier, if(final, NULL, due_at) AS due_at,
    arrayMap(i -> assumeNotNull(milestones.planned_due_at[i]), waiting) AS `awaited.due_at`,
    arrayMap(i -> milestones.leg[i], waiting) AS `awaited.leg`,
    arrayMap(i -> toString(milestones.milestone[i]), waiting) AS `awaited.milestone`,
    arrayMap(i -> milestones.planned_at[i], waiting) AS `awaited.planned_at`,
    arrayMap(i -> milestones.location[i], waiting) AS `awaited.location`,
    gone
FROM shipment_status;

-- The distinct statements of each day, counted. Refreshed while the store is open; it may be missing or old.
CREATE MATERIALIZED VIEW IF NOT EXISTS statement_counts
REFRESH EVERY 1 HOUR
(
    topic LowCardinality(String),
    day Date32,
    statements UInt64,
    as_of DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (topic, day)
EMPTY
AS SELECT topic, day, uniqExactMerge(statements) AS statements, now64(3, 'UTC') AS as_of
FROM statement_days
GROUP BY topic, day;

-- The lines that are delivered in full, one row each, as on_time_daily counts them. Refreshed while the store is open;
-- it may be missing or old.
CREATE MATERIALIZED VIEW IF NOT EXISTS on_time_lines
REFRESH EVERY 10 MINUTE
(
    epoch UInt64,
    order_key UInt64,
    day Date32,
    lane LowCardinality(String),
    supplier LowCardinality(String),
    outcome LowCardinality(String),
    as_of DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (epoch, day, lane, supplier)
EMPTY
AS SELECT
    ifNull((SELECT epoch FROM current_epoch), 0) AS epoch,
    sipHash64(order_id) AS order_key, day, lane, supplier, outcome, now64(3, 'UTC') AS as_of
FROM
(
    SELECT
        shipped.order_id AS order_id,
        toDate32(assumeNotNull(any(shipped.delivered_at)), 'UTC') AS day,
        argMax(s.lane, (isNotNull(s.delivered_at), ifNull(s.delivered_at, toDateTime64(0, 3, 'UTC')), s.shipment_id))
            AS lane,
        any(shipped.supplier) AS supplier,
        multiIf(isNull(any(shipped.due_at)), 'no_promise', any(shipped.late), 'late', 'on_time') AS outcome
    FROM
    (
        SELECT
            o.order_id AS order_id, o.supplier AS supplier, line.line_id AS line_id,
            line.delivered_at AS delivered_at, line.due_at AS due_at, line.late AS late, shipment_id
        FROM order_status AS o FINAL
        ARRAY JOIN o.lines AS line
        LEFT ARRAY JOIN line.shipments AS shipment_id
        PREWHERE o.epoch = (SELECT epoch FROM current_epoch)
        WHERE line.delivered_at IS NOT NULL
    ) AS shipped
    LEFT JOIN
    (
        SELECT p.shipment_id AS shipment_id, p.lane AS lane, p.delivered_at AS delivered_at
        FROM shipment_status AS p FINAL
        PREWHERE p.epoch = (SELECT epoch FROM current_epoch)
    ) AS s ON s.shipment_id = shipped.shipment_id
    GROUP BY shipped.order_id, shipped.line_id
);

-- From when on changes are not in on_time_lines for certain, which is some time before its last refresh: a state may
-- be on its way in while it is refreshed. NULL: nothing in it can be used.
CREATE OR REPLACE VIEW on_time_since AS
SELECT if(max(as_of) > now64(3, 'UTC') - INTERVAL 1 DAY, toNullable(max(as_of) - INTERVAL 11 MINUTE), NULL) AS since
FROM on_time_lines
WHERE epoch = (SELECT epoch FROM current_epoch);

-- The orders whose lines may have changed since: they or one of their shipments got a new state.
CREATE OR REPLACE VIEW on_time_changed AS
SELECT id AS order_id
FROM state_changes
WHERE kind = 'order' AND epoch = (SELECT epoch FROM current_epoch) AND at >= (SELECT since FROM on_time_since)
UNION ALL
SELECT order_id
FROM shipment_orders
WHERE shipment_id IN
(
    SELECT id
    FROM state_changes
    WHERE kind = 'shipment' AND epoch = (SELECT epoch FROM current_epoch) AND at >= (SELECT since FROM on_time_since)
);

-- One row per day (UTC) of delivery, lane and supplier: lines delivered in full, and how many of them in time.
-- The lane is that of the shipment that delivered the line last. What has not changed since the last refresh comes
-- from on_time_lines, all else from the states.
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
    FROM on_time_lines
    WHERE epoch = (SELECT epoch FROM current_epoch)
        AND (SELECT since FROM on_time_since) IS NOT NULL
        AND order_key NOT IN (SELECT sipHash64(order_id) FROM on_time_changed)
    UNION ALL
    SELECT
        toDate32(assumeNotNull(any(shipped.delivered_at)), 'UTC') AS day,
        argMax(s.lane, (isNotNull(s.delivered_at), ifNull(s.delivered_at, toDateTime64(0, 3, 'UTC')), s.shipment_id))
            AS lane,
        any(shipped.supplier) AS supplier,
        multiIf(isNull(any(shipped.due_at)), 'no_promise', any(shipped.late), 'late', 'on_time') AS outcome
    FROM
    (
        SELECT
            o.order_id AS order_id, o.supplier AS supplier, line.line_id AS line_id,
            line.delivered_at AS delivered_at, line.due_at AS due_at, line.late AS late, shipment_id
        FROM order_status AS o FINAL
        ARRAY JOIN o.lines AS line
        LEFT ARRAY JOIN line.shipments AS shipment_id
        PREWHERE o.epoch = (SELECT epoch FROM current_epoch)
            AND ((SELECT since FROM on_time_since) IS NULL OR o.order_id IN (SELECT order_id FROM on_time_changed))
        WHERE line.delivered_at IS NOT NULL
    ) AS shipped
    LEFT JOIN
    (
        SELECT p.shipment_id AS shipment_id, p.lane AS lane, p.delivered_at AS delivered_at
        FROM shipment_status AS p FINAL
        PREWHERE p.epoch = (SELECT epoch FROM current_epoch)
            AND
            (
                (SELECT since FROM on_time_since) IS NULL
                OR p.shipment_id IN
                (
                    SELECT shipment_id
                    FROM shipment_orders
                    WHERE order_id IN (SELECT order_id FROM on_time_changed)
                )
            )
    ) AS s ON s.shipment_id = shipped.shipment_id
    GROUP BY shipped.order_id, shipped.line_id
) AS found
GROUP BY found.day, lane, supplier;

-- One row per topic and hour of arrival (UTC): the records of that hour, once per coordinate.
CREATE OR REPLACE VIEW events_hourly AS
SELECT hour, toString(topic) AS topic, sum(found) AS records
FROM
(
    SELECT hour, topic, groupBitmapMerge(offsets) AS found
    FROM event_hours
    GROUP BY hour, topic, epoch, partition
)
GROUP BY hour, topic;

-- One row per fact topic that has records: how many, once per coordinate, and how many distinct statements they are.
-- Days for which nothing was inserted since they were counted are taken as counted.
CREATE OR REPLACE VIEW records_by_topic AS
WITH
    (
        SELECT groupArrayIf((topic, day, statements), NOT fresh), groupArrayIf((topic, day), fresh)
        FROM
        (
            SELECT
                written.topic AS topic, written.day AS day, counted.statements AS statements,
                written.touched > counted.as_of - INTERVAL 10 MINUTE AS fresh
            FROM
            (
                SELECT toString(topic) AS topic, day, max(touched) AS touched
                FROM statement_days
                GROUP BY topic, day
            ) AS written
            LEFT JOIN statement_counts AS counted ON counted.topic = written.topic AND counted.day = written.day
        )
    ) AS known
SELECT topic, sum(records) AS stored, sum(statements) AS accepted
FROM
(
    SELECT topic, records, 0 AS statements
    FROM events_hourly
    UNION ALL
    SELECT counted.1, 0, counted.3
    FROM (SELECT arrayJoin(known.1) AS counted)
    UNION ALL
    SELECT toString(topic), 0, uniqExactMerge(statements)
    FROM statement_days
    WHERE (topic, day) IN (SELECT one.1, one.2 FROM (SELECT arrayJoin(known.2) AS one))
    GROUP BY topic, day
)
GROUP BY topic;

-- One row per open exception. late_delivery and overdue_milestone come from the promise and now(), the other
-- kinds as the agents published them. The shipments are read once: for what they are late with, and for lane and
-- carrier of what was published about them (rows of `of_shipments` without a kind).
CREATE OR REPLACE VIEW exceptions_open AS
WITH
    published AS
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
    ),
    of_shipments AS
    (
        WITH
            now64(3, 'UTC') AS moment,
            arraySort(
                arrayFilter(
                    m -> moment > m.1,
                    arrayMap(
                        (due, leg, milestone) -> (due, leg, toString(milestone)),
                        p.awaited.due_at, p.awaited.leg, p.awaited.milestone
                    )
                )
            ) AS overdue
        SELECT
            p.shipment_id AS shipment_id,
            toString(p.lane) AS lane,
            toString(p.carrier) AS carrier,
            arrayJoin(
                arrayConcat(
                    if(
                        NOT p.final AND ifNull(moment > p.due_at, 0),
                        [(
                            'late_delivery', assumeNotNull(p.due_at),
                            concat(
                                'Due ', formatDateTime(assumeNotNull(p.due_at), '%Y-%m-%d %H:%i'),
                                ' UTC and not delivered; the last known status is ', p.status, '.'
                            )
                        )],
                        []
                    ),
                    if(
                        notEmpty(overdue),
                        [(
                            'overdue_milestone', overdue[1].1,
                            concat(
                                'Planned and not reported: ',
                                arrayStringConcat(
                                    arrayMap(
                                        m -> concat(
                                            m.3, ' of leg ', toString(m.2), ', due ',
                                            formatDateTime(m.1, '%Y-%m-%d %H:%i'), ' UTC'
                                        ),
                                        overdue
                                    ), '; '
                                ), '.'
                            )
                        )],
                        []
                    ),
                    if(
                        p.shipment_id IN (SELECT entity FROM published WHERE entity_kind = 'shipment'),
                        [('', toDateTime64(0, 3, 'UTC'), '')],
                        []
                    )
                )
            ) AS one
        FROM shipments_under_way AS p FINAL
        WHERE p.epoch = (SELECT epoch FROM current_epoch)
            AND (NOT p.final OR p.shipment_id IN (SELECT entity FROM published WHERE entity_kind = 'shipment'))
    )
SELECT
    found.exception_id AS exception_id,
    found.kind AS kind,
    found.entity_kind AS entity_kind,
    found.entity AS entity,
    found.lane AS lane,
    found.carrier AS carrier,
    if(found.entity_kind = 'stock', substring(found.entity, 1, position(found.entity, '|') - 1), '') AS site,
    if(found.entity_kind = 'stock', substring(found.entity, position(found.entity, '|') + 1), '') AS item,
    found.opened_at AS opened_at,
    found.detail AS detail,
    toUInt8(in_hand.exception_id != '') AS acknowledged,
    in_hand.operator AS acknowledged_by,
    in_hand.until AS acknowledged_until,
    in_hand.note AS note
FROM
(
    SELECT
        exception_id, kind, entity_kind, entity, opened_at, detail,
        max(lane_of) OVER (PARTITION BY entity_kind, entity) AS lane,
        max(carrier_of) OVER (PARTITION BY entity_kind, entity) AS carrier
    FROM
    (
        SELECT exception_id, kind, entity_kind, entity, opened_at, detail, '' AS lane_of, '' AS carrier_of
        FROM published
        UNION ALL
        SELECT
            concat(one.1, '/shipment/', shipment_id), one.1, 'shipment', shipment_id, one.2, one.3, lane, carrier
        FROM of_shipments
    )
) AS found
LEFT JOIN acknowledgements_now AS in_hand ON in_hand.exception_id = found.exception_id
WHERE found.kind != '';

-- The planned milestones of open shipments that are past and were neither reported nor passed: the rows of
-- shipment_milestones with overdue_now = 1.
CREATE OR REPLACE VIEW milestones_overdue AS
SELECT
    s.shipment_id AS shipment_id,
    awaited.leg AS leg,
    toString(awaited.milestone) AS milestone,
    awaited.planned_at AS planned_at,
    awaited.due_at AS planned_due_at,
    awaited.location AS location,
    toString(s.lane) AS lane,
    toString(s.carrier) AS carrier
FROM shipments_under_way AS s FINAL
ARRAY JOIN s.awaited AS awaited
WHERE s.epoch = (SELECT epoch FROM current_epoch) AND awaited.due_at < now64(3, 'UTC');
