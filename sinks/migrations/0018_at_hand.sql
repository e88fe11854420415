-- What is watched is at hand: what the views of sites and stock need of the last weeks, and the numbers of records of each
-- hour, are worked out from time to time (warehouse_lately, hours_counted); what was inserted since is added at every
-- question, as on_time_daily does it. So answers are exact to the record, and inserts cost nothing more: what was inserted
-- after the last refresh, or in the five minutes before it (it may have been on its way in), is never taken from it. Where
-- a refresh is missing everything is worked out.

-- The warehouse events of which something arrived in the last so many days and one more: of each the statement that counts
-- among those, retracted or not, as warehouse_events_now picks it. receipt: the shipment, or else the lot, with which
-- something was received or put away. In the order of the table's key, so that nothing is kept in memory.
CREATE OR REPLACE VIEW warehouse_events_told AS
SELECT
    type, site, item, occurred_at, quantity_thousandths, unit, direction,
    multiIf(
        type NOT IN ('received', 'put_away'), '',
        references['shipment_id'] != '', references['shipment_id'],
        JSONExtractString(raw, 'lot')
    ) AS receipt,
    sipHash64(site, item, source, event_id) AS identity, appended_at, recorded_at, retracted, content_hash
FROM warehouse_events
WHERE appended_at >= now64(3, 'UTC') - toIntervalDay({days:UInt16} + 1)
ORDER BY site, item, source, event_id, recorded_at DESC, retracted DESC, content_hash DESC, appended_at DESC
LIMIT 1 BY site, item, source, event_id;

-- The same of 35 days, worked out every half an hour. The partition tells its moment without being read.
CREATE MATERIALIZED VIEW IF NOT EXISTS warehouse_lately
REFRESH EVERY 30 MINUTE
(
    type LowCardinality(String),
    site LowCardinality(String),
    item String CODEC(ZSTD(1)),
    occurred_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    quantity_thousandths Int64 CODEC(ZSTD(1)),
    unit LowCardinality(String),
    direction LowCardinality(String),
    receipt String CODEC(ZSTD(1)),
    identity UInt64,
    appended_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    recorded_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    retracted UInt8,
    content_hash FixedString(16),
    as_of DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY as_of
ORDER BY (type, site, item)
EMPTY
AS SELECT *, now64(3, 'UTC') AS as_of
FROM warehouse_events_told(days = 35)
SETTINGS max_threads = 1;

-- From when on what was inserted may not be in warehouse_lately. NULL: nothing is in it.
CREATE OR REPLACE VIEW warehouse_lately_since AS
SELECT if(count() = 0, NULL, max(as_of) - INTERVAL 5 MINUTE) AS since
FROM warehouse_lately;

-- What was inserted since.
CREATE OR REPLACE VIEW warehouse_events_fresh AS
SELECT
    type, site, item, occurred_at, quantity_thousandths, unit, direction,
    multiIf(
        type NOT IN ('received', 'put_away'), '',
        references['shipment_id'] != '', references['shipment_id'],
        JSONExtractString(raw, 'lot')
    ) AS receipt,
    sipHash64(site, item, source, event_id) AS identity, appended_at, recorded_at, retracted, content_hash
FROM warehouse_events
WHERE appended_at >= now64(3, 'UTC') - INTERVAL 36 DAY AND inserted_at >= (SELECT since FROM warehouse_lately_since);

-- The warehouse events that happened in the last so many days, but for those of which nothing arrived since then and the
-- day before. Up to 35 days are at hand: what is fresh, with what is known of the same events; all else as worked out.
CREATE OR REPLACE VIEW warehouse_told_since AS
SELECT type, site, item, occurred_at, quantity_thousandths, unit, direction, receipt
FROM
(
    SELECT
        type, toString(l.site) AS site, item, occurred_at, quantity_thousandths, unit, direction, receipt, appended_at,
        retracted
    FROM warehouse_lately AS l
    WHERE {days:UInt16} <= 35 AND identity NOT IN (SELECT identity FROM warehouse_events_fresh)
    UNION ALL
    SELECT told.1, told.2, told.3, told.4, told.5, told.6, told.7, told.8, version.4, version.2
    FROM
    (
        SELECT
            max((recorded_at, retracted, content_hash, appended_at)) AS version,
            argMax(
                (type, site, item, occurred_at, quantity_thousandths, unit, direction, receipt),
                (recorded_at, retracted, content_hash)
            ) AS told
        FROM
        (
            SELECT *
            FROM warehouse_events_fresh
            WHERE {days:UInt16} <= 35
            UNION ALL
            SELECT
                type, toString(l.site) AS site, item, occurred_at, quantity_thousandths, unit, direction, receipt, identity,
                appended_at, recorded_at, retracted, content_hash
            FROM warehouse_lately AS l
            WHERE {days:UInt16} <= 35 AND identity IN (SELECT identity FROM warehouse_events_fresh)
        )
        GROUP BY identity
    )
    UNION ALL
    SELECT type, site, item, occurred_at, quantity_thousandths, unit, direction, receipt, appended_at, retracted
    FROM warehouse_events_told(days = {days:UInt16})
    WHERE {days:UInt16} > 35 OR (SELECT since FROM warehouse_lately_since) IS NULL
)
WHERE retracted = 0
    AND appended_at >= now64(3, 'UTC') - toIntervalDay({days:UInt16} + 1)
    AND occurred_at > now64(3, 'UTC') - toIntervalDay({days:UInt16})
    AND occurred_at <= now64(3, 'UTC');

CREATE OR REPLACE VIEW warehouse_events_since AS
SELECT site, item, type, occurred_at, quantity_thousandths, unit, direction
FROM warehouse_told_since(days = {days:UInt16});

-- Of them what was received and put away, with what it came with.
CREATE OR REPLACE VIEW warehouse_receipts_since AS
SELECT site, item, type, occurred_at, quantity_thousandths, receipt
FROM warehouse_told_since(days = {days:UInt16})
WHERE type IN ('received', 'put_away') AND receipt != '';

-- One row per topic that the history keeps: when the newest record arrived (of states: was written), NULL before the
-- first. The greatest append time of a fact table stands in its partitions and is not read.
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
    SELECT 'supplier.events' AS topic, if(count() = 0, NULL, max(appended_at)) AS newest_at FROM supplier_events
    UNION ALL
    SELECT 'shipment.events', if(count() = 0, NULL, max(appended_at)) FROM shipment_events
    UNION ALL
    SELECT 'warehouse.events', if(count() = 0, NULL, max(appended_at)) FROM warehouse_events
    UNION ALL
    SELECT 'reference.events', if(count() = 0, NULL, max(appended_at)) FROM reference_events
    UNION ALL
    SELECT 'operator.events', if(count() = 0, NULL, max(appended_at)) FROM operator_events
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

-- When something was last inserted for an hour; what was there before this column counts as inserted now.
ALTER TABLE event_hours
    ADD COLUMN IF NOT EXISTS touched SimpleAggregateFunction(max, DateTime64(3, 'UTC')) MATERIALIZED now64(3, 'UTC');
ALTER TABLE event_hours MATERIALIZE COLUMN touched SETTINGS mutations_sync = 0;

-- The records of each hour, counted. FINAL unites the bitmaps of one hour in the order in which they are stored.
CREATE MATERIALIZED VIEW IF NOT EXISTS hours_counted
REFRESH EVERY 1 HOUR
(
    topic LowCardinality(String),
    hour DateTime64(3, 'UTC'),
    records UInt64,
    as_of DateTime64(3, 'UTC')
)
ENGINE = MergeTree
PARTITION BY as_of
ORDER BY (topic, hour)
EMPTY
AS SELECT topic, hour, sum(bitmapCardinality(offsets)) AS records, now64(3, 'UTC') AS as_of
FROM event_hours FINAL
GROUP BY topic, hour
SETTINGS max_threads = 1;

-- The hours for which something was inserted since they were counted.
CREATE OR REPLACE VIEW hours_fresh AS
WITH (SELECT if(count() = 0, NULL, max(as_of) - INTERVAL 5 MINUTE) FROM hours_counted) AS since
SELECT DISTINCT topic, hour
FROM event_hours
WHERE ifNull(touched >= since, 1);

-- One row per topic and hour of arrival (UTC): the records of that hour, once per coordinate.
CREATE OR REPLACE VIEW events_hourly AS
SELECT hour, toString(topic) AS topic, sum(found) AS records
FROM
(
    SELECT hour, topic, records AS found
    FROM hours_counted
    WHERE (topic, hour) NOT IN (SELECT topic, hour FROM hours_fresh)
    UNION ALL
    SELECT hour, topic, bitmapCardinality(offsets) AS found
    FROM event_hours FINAL
    WHERE (topic, hour) IN (SELECT topic, hour FROM hours_fresh)
)
GROUP BY hour, topic;

-- What a milestone that is awaited is expected at, as last told.
ALTER TABLE shipments_under_way ADD COLUMN IF NOT EXISTS `awaited.estimated_at` Array(Nullable(DateTime64(3, 'UTC')));
ALTER TABLE shipment_under_way MODIFY QUERY
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
    arrayMap(i -> milestones.estimated_at[i], waiting) AS `awaited.estimated_at`,
    gone
FROM shipment_status;

-- What was there before, of shipments that await something: of two rows of one version the later one counts.
INSERT INTO shipments_under_way
    (
        epoch, version, shipment_id, final, status, lane, carrier, due_at, awaited.due_at, awaited.leg,
        awaited.milestone, awaited.planned_at, awaited.location, awaited.estimated_at, gone
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
    arrayMap(i -> milestones.estimated_at[i], waiting) AS `awaited.estimated_at`,
    gone
FROM shipment_status
WHERE arrayExists(i -> isNotNull(milestones.estimated_at[i]), waiting);

-- One row per shipment, leg and milestone. Who asks for overdue_now = 1 reads shipments_under_way only.
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
    toUInt8(0) AS overdue_now,
    s.lane AS lane,
    s.carrier AS carrier
FROM shipment_status AS s FINAL
ARRAY JOIN s.milestones AS reached
WHERE s.epoch = (SELECT epoch FROM current_epoch)
    AND NOT (
        NOT s.final AND NOT reached.inferred AND isNull(reached.actual_at)
        AND ifNull(now64(3, 'UTC') > reached.planned_due_at, 0)
    )
UNION ALL
SELECT
    s.shipment_id, awaited.leg, awaited.milestone, awaited.planned_at, toNullable(awaited.due_at), awaited.estimated_at,
    CAST(NULL AS Nullable(DateTime64(3, 'UTC'))), toUInt8(0), awaited.location, toUInt8(1), toString(s.lane),
    toString(s.carrier)
FROM shipments_under_way AS s FINAL
ARRAY JOIN s.awaited AS awaited
WHERE s.epoch = (SELECT epoch FROM current_epoch) AND awaited.due_at < now64(3, 'UTC');

-- Every source of source_health.
CREATE OR REPLACE VIEW sources_known AS
SELECT DISTINCT source
FROM
(
    SELECT toString(d.source) AS source FROM source_days AS d
    UNION ALL
    SELECT source FROM source_reference
    UNION ALL
    SELECT source
    FROM dead_letter_records
    WHERE appended_at > now64(3, 'UTC') - INTERVAL 1 DAY AND source != ''
    UNION ALL
    SELECT source
    FROM late_event_records
    WHERE appended_at > now64(3, 'UTC') - INTERVAL 1 DAY AND source != ''
);

-- The rows of exceptions_open with entity_kind = 'stock'; no shipment is read for them.
CREATE OR REPLACE VIEW stock_exceptions_open AS
SELECT
    found.exception_id AS exception_id,
    found.kind AS kind,
    'stock' AS entity_kind,
    found.entity AS entity,
    '' AS lane,
    '' AS carrier,
    found.site AS site,
    found.item AS item,
    found.opened_at AS opened_at,
    found.detail AS detail,
    toUInt8(in_hand.exception_id != '') AS acknowledged,
    in_hand.operator AS acknowledged_by,
    in_hand.until AS acknowledged_until,
    in_hand.note AS note
FROM
(
    SELECT
        one.exception_id AS exception_id,
        toString(one.kind) AS kind,
        substring(s.entity, 7) AS entity,
        substring(entity, 1, position(entity, '|') - 1) AS site,
        substring(entity, position(entity, '|') + 1) AS item,
        one.opened_at AS opened_at,
        one.detail AS detail
    FROM exceptions AS s FINAL
    ARRAY JOIN s.open AS one
    WHERE s.epoch = (SELECT epoch FROM current_epoch)
        AND startsWith(s.entity, 'stock/')
        AND one.kind NOT IN ('late_delivery', 'overdue_milestone')
    UNION ALL
    SELECT
        concat(w.kind, '/', w.entity_kind, '/', w.entity), toString(w.kind), w.entity, w.site, w.item, w.opened_at, w.detail
    FROM exceptions_watched AS w
    WHERE w.entity_kind = 'stock' AND ifNull(w.valid_until >= now64(3, 'UTC'), 1)
) AS found
LEFT JOIN acknowledgements_now AS in_hand ON in_hand.exception_id = found.exception_id;
