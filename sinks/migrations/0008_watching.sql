-- What people watch beyond today's lateness: what is known of sites, items, lanes and sources; cover of stock; work at
-- the sites; lanes; shipments that will be late. Columns: docs/views.md. Events of a time are found by their append
-- time (the partition): what happened since T was not told before T, but for a clock that is up to a day ahead.

-- One row per site that somebody described; the latest description counts.
CREATE OR REPLACE VIEW site_capacity AS
SELECT
    substring(entity, 6) AS site,
    JSONExtractString(raw, 'name') AS name,
    multiIf(
        told.attributes['country'] != '', told.attributes['country'],
        match(site, '^[A-Z]{2} ?[A-Z2-9]{3}$'), substring(site, 1, 2),
        ''
    ) AS country,
    toFloat64OrNull(trim(BOTH '"' FROM JSONExtractRaw(raw, 'latitude'))) AS latitude,
    toFloat64OrNull(trim(BOTH '"' FROM JSONExtractRaw(raw, 'longitude'))) AS longitude,
    JSONExtractString(raw, 'zone') AS time_zone,
    toDecimal64OrNull(trim(BOTH '"' FROM JSONExtractRaw(raw, 'daily_capacity')), 3) AS capacity_per_day
FROM
(
    SELECT
        entity,
        argMax(raw, (recorded_at, occurred_at, source, event_id)) AS raw,
        argMax(attributes, (recorded_at, occurred_at, source, event_id)) AS attributes
    FROM reference_events_now
    WHERE type = 'site_described'
    GROUP BY entity
) AS told;

-- One row per item that somebody described.
CREATE OR REPLACE VIEW item_reference AS
SELECT
    substring(entity, 6) AS item,
    JSONExtractString(raw, 'name') AS name,
    JSONExtractString(raw, 'unit') AS unit,
    toDecimal64OrNull(trim(BOTH '"' FROM JSONExtractRaw(raw, 'reorder_point')), 3) AS reorder_point
FROM
(
    SELECT entity, argMax(raw, (recorded_at, occurred_at, source, event_id)) AS raw
    FROM reference_events_now
    WHERE type = 'item_described'
    GROUP BY entity
);

-- One row per lane that somebody described: the transit time that is promised on it.
CREATE OR REPLACE VIEW lane_reference AS
SELECT
    substring(entity, 6) AS lane,
    toFloat64OrNull(trim(BOTH '"' FROM JSONExtractRaw(raw, 'transit_promise'))) / 24 AS promised_days
FROM
(
    SELECT entity, argMax(raw, (recorded_at, occurred_at, source, event_id)) AS raw
    FROM reference_events_now
    WHERE type = 'lane_described'
    GROUP BY entity
);

-- One row per source that somebody described: the longest gap between its events that is usual.
CREATE OR REPLACE VIEW source_reference AS
SELECT
    substring(entity, 8) AS source,
    JSONExtractString(raw, 'name') AS name,
    toFloat64OrNull(trim(BOTH '"' FROM JSONExtractRaw(raw, 'expected_cadence'))) * 3600 AS cadence_s,
    first_described_at
FROM
(
    SELECT
        entity,
        argMax(raw, (recorded_at, occurred_at, source, event_id)) AS raw,
        min(appended_at) AS first_described_at
    FROM reference_events_now
    WHERE type = 'source_described'
    GROUP BY entity
);

-- The warehouse events of the last so many days: of each the statement that counts, as warehouse_events_now picks it,
-- among those that arrived since.
CREATE OR REPLACE VIEW warehouse_events_since AS
SELECT
    said.1 AS site, said.2 AS item, said.3 AS type, said.4 AS occurred_at, said.5 AS quantity_thousandths, said.6 AS unit,
    said.7 AS direction
FROM
(
    SELECT
        argMax(
            (site, item, type, occurred_at, quantity_thousandths, unit, direction, retracted),
            (recorded_at, retracted, content_hash)
        ) AS said
    FROM warehouse_events
    WHERE appended_at >= now64(3, 'UTC') - toIntervalDay({days:UInt16} + 1)
    GROUP BY sipHash128(site, item, source, event_id)
)
WHERE said.8 = 0
    AND occurred_at > now64(3, 'UTC') - toIntervalDay({days:UInt16})
    AND occurred_at <= now64(3, 'UTC');

-- The same of what was received and put away, with the shipment or else the lot that it came with (receipt): it reads
-- the raw events, where a lot stands.
CREATE OR REPLACE VIEW warehouse_receipts_since AS
SELECT
    said.1 AS site, said.2 AS item, said.3 AS type, said.4 AS occurred_at, said.5 AS quantity_thousandths,
    said.6 AS receipt
FROM
(
    SELECT
        argMax(
            (
                site, item, type, occurred_at, quantity_thousandths,
                multiIf(
                    type NOT IN ('received', 'put_away'), '',
                    references['shipment_id'] != '', references['shipment_id'],
                    JSONExtractString(raw, 'lot')
                ),
                retracted
            ),
            (recorded_at, retracted, content_hash)
        ) AS said
    FROM warehouse_events
    WHERE appended_at >= now64(3, 'UTC') - toIntervalDay({days:UInt16} + 1)
    GROUP BY sipHash128(site, item, source, event_id)
)
WHERE said.7 = 0
    AND receipt != ''
    AND occurred_at > now64(3, 'UTC') - toIntervalDay({days:UInt16})
    AND occurred_at <= now64(3, 'UTC');

-- One row per position (of stock_now), with how long it lasts and whether it is to be ordered again. What is shipped in
-- another unit than the position's is not counted, and a reorder point in another unit is none.
CREATE OR REPLACE VIEW stock_cover AS
SELECT
    s.site AS site,
    s.item AS item,
    s.unit AS unit,
    s.on_hand AS on_hand,
    s.reserved AS reserved,
    s.quarantined AS quarantined,
    s.in_transit AS in_transit,
    s.available AS available,
    went.thousandths / 28000 AS shipped_per_day,
    if(went.thousandths > 0, toFloat64(s.on_hand) / shipped_per_day, NULL) AS days_of_supply,
    if(i.item != '' AND i.unit IN ('', s.unit), i.reorder_point, NULL) AS reorder_point,
    toUInt8(ifNull(s.available + s.in_transit < reorder_point, 0)) AS below_reorder_point,
    s.negative_since AS negative_since,
    s.stockout_since AS stockout_since,
    s.last_movement_at AS last_movement_at
FROM stock_now AS s
LEFT JOIN
(
    SELECT site, item, toString(unit) AS unit, sum(quantity_thousandths) AS thousandths
    FROM warehouse_events_since(days = 28)
    WHERE type = 'shipped'
    GROUP BY site, item, unit
) AS went ON went.site = s.site AND went.item = s.item AND went.unit = s.unit
LEFT JOIN item_reference AS i ON i.item = s.item;

-- One row per site and hour (UTC) of the last 35 days in which something happened: numbers of events, and quantities in
-- and out of the site's stock, whatever their units.
CREATE OR REPLACE VIEW site_hourly AS
SELECT
    site,
    toDateTime64(toStartOfHour(occurred_at), 3, 'UTC') AS hour,
    countIf(type = 'received') AS received,
    countIf(type = 'put_away') AS put_away,
    countIf(type = 'picked') AS picked,
    countIf(type = 'packed') AS packed,
    countIf(type = 'shipped') AS shipped,
    countIf(type = 'counted') AS counted,
    reinterpret(
        sumIf(quantity_thousandths, type IN ('received', 'returned') OR direction = 'in'), 'Decimal(18, 3)'
    ) AS quantity_in,
    reinterpret(
        sumIf(quantity_thousandths, type IN ('shipped', 'scrapped') OR direction = 'out'), 'Decimal(18, 3)'
    ) AS quantity_out
FROM warehouse_events_since(days = 35)
GROUP BY site, hour;

-- One row per site that reports what it puts away: what it received in the last 28 days and has not put away in full.
CREATE OR REPLACE VIEW site_backlog AS
SELECT
    putting.site AS site,
    countIf(waiting.rest > 0) AS open_receipts,
    reinterpret(sumIf(waiting.rest, waiting.rest > 0), 'Decimal(18, 3)') AS backlog_quantity,
    minIf(toNullable(waiting.since), waiting.rest > 0) AS oldest_since,
    any(c.capacity_per_day) AS capacity_per_day
FROM (SELECT site FROM stock_now GROUP BY site HAVING sum(put_away) > 0) AS putting
LEFT JOIN
(
    SELECT
        site,
        minIf(occurred_at, type = 'received') AS since,
        sumIf(quantity_thousandths, type = 'received') - sumIf(quantity_thousandths, type = 'put_away') AS rest
    FROM warehouse_receipts_since(days = 28)
    GROUP BY site, item, receipt
) AS waiting ON waiting.site = putting.site
LEFT JOIN site_capacity AS c ON c.site = putting.site
GROUP BY putting.site;

-- Transit times of each lane in its 90 days: what lead_time_stats shows of them, without all other measures.
CREATE OR REPLACE VIEW lane_transit_usual AS
SELECT s.route AS route, s.recent_count AS n, s.recent_p50 AS p50_ms, s.recent_p90 AS p90_ms
FROM lead_stats AS s FINAL
WHERE s.epoch = (SELECT epoch FROM current_epoch) AND s.measure = 'transit' AND s.recent_count > 0;

-- The open shipments that are in time as yet and are not expected to stay so: by an estimate that is still to come,
-- else by their departure and the lane's p90 of transit (of at least 5 in its 90 days).
CREATE OR REPLACE VIEW at_risk_shipments AS
WITH now64(3, 'UTC') AS moment
SELECT
    s.shipment_id AS shipment_id,
    s.lane AS lane,
    s.carrier AS carrier,
    s.due_at AS due_at,
    assumeNotNull(
        if(
            basis = 'estimate', s.estimated_at,
            s.departed_at + toIntervalMillisecond(usual.p90_ms)
        )
    ) AS expected_at,
    if(ifNull(s.estimated_at > moment, 0), 'estimate', 'lane_p90') AS basis,
    (toUnixTimestamp64Milli(expected_at) - toUnixTimestamp64Milli(s.promised_at)) / 3600000 AS hours_late_expected,
    s.status AS status,
    toUInt8(in_hand.exception_id != '') AS acknowledged,
    concat('at_risk/shipment/', s.shipment_id) AS exception_id,
    s.departed_at AS departed_at
FROM
(
    SELECT shipment_id, lane, carrier, promised_at, due_at, estimated_at, departed_at, status
    FROM shipments_now
    WHERE open = 1 AND late_now = 0 AND due_at IS NOT NULL AND (estimated_at IS NOT NULL OR departed_at IS NOT NULL)
) AS s
LEFT JOIN
(
    SELECT route AS lane, p90_ms
    FROM lane_transit_usual
    WHERE n >= 5
) AS usual ON usual.lane = s.lane
LEFT JOIN acknowledgements_now AS in_hand ON in_hand.exception_id = concat('at_risk/shipment/', s.shipment_id)
WHERE
    if(
        ifNull(s.estimated_at > moment, 0),
        ifNull(s.estimated_at > s.due_at, 0),
        usual.lane != ''
            AND ifNull(
                s.departed_at + toIntervalMillisecond(usual.p90_ms) > s.due_at, 0
            )
    );

-- One row per lane that a shipment has been told of.
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
    SELECT toString(s.lane) AS lane, countIf(s.open = 1) AS open, countIf(s.late_now = 1) AS late
    FROM shipments_now AS s
    GROUP BY lane
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
