-- Lead times and counts over a long history: what a question needs is read, and no more. Columns: docs/views.md.

-- What the state of each order and shipment says of lead times, under sipHash64(kind, id): of an order its lines that
-- were delivered and have a date of order (measure order_to_delivery, party the supplier; where nobody told that,
-- measure is empty), of a shipment transit and carrier_transit (party the carrier). A state that says nothing of them
-- has a row too: it takes back what an earlier one said. One partition per epoch, as the states have them.
CREATE TABLE IF NOT EXISTS lead_times_told
(
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
ENGINE = ReplacingMergeTree(version, gone)
PARTITION BY epoch
ORDER BY (epoch, key)
SETTINGS index_granularity = 1024;

CREATE MATERIALIZED VIEW IF NOT EXISTS order_lead_times TO lead_times_told AS
WITH
    arrayFilter(i -> ifNull(lines.delivered_at[i] >= lines.ordered_at[i], 0), arrayEnumerate(lines.line_id)) AS ended
SELECT
    epoch, version, sipHash64('order', order_id) AS key,
    arrayMap(i -> if(supplier = '', '', 'order_to_delivery'), ended) AS `found.measure`,
    arrayMap(i -> concat(supplier, '|', lines.item[i]), ended) AS `found.route`,
    arrayMap(i -> supplier, ended) AS `found.party`,
    arrayMap(i -> assumeNotNull(lines.delivered_at[i]), ended) AS `found.at`,
    arrayMap(
        i -> toUnixTimestamp64Milli(assumeNotNull(lines.delivered_at[i]))
            - toUnixTimestamp64Milli(assumeNotNull(lines.ordered_at[i])),
        ended
    ) AS `found.ms`,
    gone
FROM order_status;

CREATE MATERIALIZED VIEW IF NOT EXISTS shipment_lead_times TO lead_times_told AS
WITH
    arrayFilter(
        told -> ifNull(delivered_at >= departed_at, 0) AND told.2 != '',
        [('transit', toString(lane)), ('carrier_transit', if(carrier = '', '', concat(carrier, '|', lane)))]
    ) AS routes
SELECT
    epoch, version, sipHash64('shipment', shipment_id) AS key,
    arrayMap(told -> told.1, routes) AS `found.measure`,
    arrayMap(told -> told.2, routes) AS `found.route`,
    arrayMap(told -> carrier, routes) AS `found.party`,
    arrayMap(told -> assumeNotNull(delivered_at), routes) AS `found.at`,
    arrayMap(
        told -> toUnixTimestamp64Milli(assumeNotNull(delivered_at)) - toUnixTimestamp64Milli(assumeNotNull(departed_at)),
        routes
    ) AS `found.ms`,
    gone
FROM shipment_status;

-- What was there before.
INSERT INTO lead_times_told (epoch, version, key, found.measure, found.route, found.party, found.at, found.ms, gone)
WITH
    arrayFilter(i -> ifNull(lines.delivered_at[i] >= lines.ordered_at[i], 0), arrayEnumerate(lines.line_id)) AS ended
SELECT
    epoch, version, sipHash64('order', order_id) AS key,
    arrayMap(i -> if(supplier = '', '', 'order_to_delivery'), ended) AS `found.measure`,
    arrayMap(i -> concat(supplier, '|', lines.item[i]), ended) AS `found.route`,
    arrayMap(i -> supplier, ended) AS `found.party`,
    arrayMap(i -> assumeNotNull(lines.delivered_at[i]), ended) AS `found.at`,
    arrayMap(
        i -> toUnixTimestamp64Milli(assumeNotNull(lines.delivered_at[i]))
            - toUnixTimestamp64Milli(assumeNotNull(lines.ordered_at[i])),
        ended
    ) AS `found.ms`,
    gone
FROM order_status;

INSERT INTO lead_times_told (epoch, version, key, found.measure, found.route, found.party, found.at, found.ms, gone)
WITH
    arrayFilter(
        told -> ifNull(delivered_at >= departed_at, 0) AND told.2 != '',
        [('transit', toString(lane)), ('carrier_transit', if(carrier = '', '', concat(carrier, '|', lane)))]
    ) AS routes
SELECT
    epoch, version, sipHash64('shipment', shipment_id) AS key,
    arrayMap(told -> told.1, routes) AS `found.measure`,
    arrayMap(told -> told.2, routes) AS `found.route`,
    arrayMap(told -> carrier, routes) AS `found.party`,
    arrayMap(told -> assumeNotNull(delivered_at), routes) AS `found.at`,
    arrayMap(
        told -> toUnixTimestamp64Milli(assumeNotNull(delivered_at)) - toUnixTimestamp64Milli(assumeNotNull(departed_at)),
        routes
    ) AS `found.ms`,
    gone
FROM shipment_status;

-- The same by day, one row per observation. Refreshed while the store is open; it may be missing or old. Its partition
-- says of what epoch and moment it is, so that nothing has to be read for that.
CREATE MATERIALIZED VIEW IF NOT EXISTS lead_times_by_day
REFRESH EVERY 20 MINUTE
(
    epoch UInt64,
    measure String,
    day Date32,
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
    t.epoch AS epoch, toString(one.measure) AS measure, toDate32(one.at, 'UTC') AS day, one.route AS route,
    one.party AS party, one.at AS at, one.ms AS ms, t.key AS key, now64(3, 'UTC') AS as_of
FROM lead_times_told AS t FINAL
ARRAY JOIN t.found AS one
PREWHERE t.epoch = (SELECT epoch FROM current_epoch)
SETTINGS max_threads = 1;

-- From when on changes are not in lead_times_by_day for certain, as on_time_since has it. NULL: nothing in it can be
-- used.
CREATE OR REPLACE VIEW lead_times_since AS
SELECT if(max(as_of) > now64(3, 'UTC') - INTERVAL 1 DAY, toNullable(max(as_of) - INTERVAL 11 MINUTE), NULL) AS since
FROM lead_times_by_day
WHERE epoch = (SELECT epoch FROM current_epoch);

-- The orders and shipments that may have changed since: they got a new state.
CREATE OR REPLACE VIEW lead_times_changed AS
SELECT sipHash64(toString(kind), id) AS key
FROM state_changes
WHERE epoch = (SELECT epoch FROM current_epoch) AND at >= (SELECT since FROM lead_times_since);

-- One row per observation: those of lead_time_observations that come from states, and with an empty measure those of
-- order lines of which nobody told the supplier. What has not changed since the last refresh comes from
-- lead_times_by_day, all else from what the states say.
CREATE OR REPLACE VIEW lead_times_now AS
SELECT measure, route, toString(party) AS party, day, at, ms
FROM lead_times_by_day
WHERE epoch = (SELECT epoch FROM current_epoch)
    AND (SELECT since FROM lead_times_since) IS NOT NULL
    AND key NOT IN (SELECT key FROM lead_times_changed)
UNION ALL
SELECT toString(one.measure), one.route, toString(one.party), toDate32(one.at, 'UTC'), one.at, one.ms
FROM lead_times_told AS t FINAL
ARRAY JOIN t.found AS one
PREWHERE t.epoch = (SELECT epoch FROM current_epoch)
    AND ((SELECT since FROM lead_times_since) IS NULL OR t.key IN (SELECT key FROM lead_times_changed));

-- As before (0009), with what comes from states taken from lead_times_now: the observations of one measure (`of`;
-- empty: of all). For a measure that is not dock_to_stock no event is read.
CREATE OR REPLACE VIEW lead_time_observations_of AS
SELECT measure, route, day, ms
FROM lead_times_now
WHERE measure != '' AND ({of:String} = '' OR measure = {of:String})
UNION ALL
SELECT
    'dock_to_stock', site, toDate32(maxIf(occurred_at, type = 'put_away'), 'UTC'),
    toUnixTimestamp64Milli(maxIf(occurred_at, type = 'put_away'))
        - toUnixTimestamp64Milli(minIf(occurred_at, type = 'received')) AS took
FROM warehouse_receipts_since(days = 92)
WHERE {of:String} IN ('', 'dock_to_stock')
GROUP BY site, item, receipt
HAVING countIf(type = 'received') > 0
    AND countIf(type = 'put_away') > 0
    AND sumIf(quantity_thousandths, type = 'put_away') >= sumIf(quantity_thousandths, type = 'received')
    AND took >= 0;

CREATE OR REPLACE VIEW lead_time_observations AS
SELECT measure, route, day, ms
FROM lead_time_observations_of(of = '');

-- lead_time_control (0009 says what it is) of one measure (`of`; empty: of all), from the observations of the last so
-- many days. A chart has 90 days at most: who asks for days since D is right with 90 days more than have passed since
-- D. Of one measure routes with fewer than 10 observations are passed over at once, since these cannot have 10 days.
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
            measure,
            route,
            arraySort(arrayFilter(p -> p.1 > last_day - 90, told)) AS points
        FROM
        (
            SELECT measure, route, groupArray((day, value)) AS told, max(day) AS last_day
            FROM
            (
                SELECT measure, route, day, avg(log(greatest(ms, 1000) / 86400000)) AS value
                FROM lead_time_observations_of(of = {of:String})
                WHERE day > toDate32(now64(3, 'UTC'), 'UTC') - {days:UInt32}
                    AND
                    (
                        {of:String} IN ('', 'dock_to_stock')
                        OR cityHash64(route) IN
                        (
                            SELECT cityHash64(route)
                            FROM lead_times_now
                            WHERE measure = {of:String} AND day > toDate32(now64(3, 'UTC'), 'UTC') - {days:UInt32}
                            GROUP BY cityHash64(route)
                            HAVING count() >= 10
                        )
                    )
                GROUP BY measure, route, day
            )
            GROUP BY measure, route
            HAVING length(told) >= 10
        )
        WHERE length(points) >= 10
    )
)
ARRAY JOIN ruled AS point;

CREATE OR REPLACE VIEW lead_time_control_since AS
SELECT measure, route, day, value_days, centre_days, lower_days, upper_days, rule
FROM lead_time_control_of(of = '', days = {days:UInt32});

-- One row per topic and hour of arrival (UTC): the records of that hour, once per coordinate. FINAL unites the bitmaps
-- of one hour in the order in which they are stored, which is cheaper than to group them.
CREATE OR REPLACE VIEW events_hourly AS
SELECT hour, toString(topic) AS topic, sum(bitmapCardinality(offsets)) AS records
FROM event_hours FINAL
GROUP BY hour, topic;

-- The open exceptions that are worked out every minute (exceptions_watched), as exceptions_open has them.
CREATE OR REPLACE VIEW exceptions_watched_now AS
SELECT
    concat(found.kind, '/', found.entity_kind, '/', found.entity) AS exception_id,
    toString(found.kind) AS kind,
    toString(found.entity_kind) AS entity_kind,
    found.entity AS entity,
    found.lane AS lane,
    found.carrier AS carrier,
    found.site AS site,
    found.item AS item,
    found.opened_at AS opened_at,
    found.detail AS detail,
    toUInt8(in_hand.exception_id != '') AS acknowledged,
    in_hand.operator AS acknowledged_by,
    in_hand.until AS acknowledged_until,
    in_hand.note AS note
FROM exceptions_watched AS found
LEFT JOIN acknowledgements_now AS in_hand
    ON in_hand.exception_id = concat(found.kind, '/', found.entity_kind, '/', found.entity)
WHERE ifNull(found.valid_until >= now64(3, 'UTC'), 1);

-- One row per open exception.
CREATE OR REPLACE VIEW exceptions_open AS
SELECT
    exception_id, kind, entity_kind, entity, lane, carrier, site, item, opened_at, detail,
    acknowledged, acknowledged_by, acknowledged_until, note
FROM exceptions_told
UNION ALL
SELECT
    exception_id, kind, entity_kind, entity, lane, carrier, site, item, opened_at, detail,
    acknowledged, acknowledged_by, acknowledged_until, note
FROM exceptions_watched_now;
