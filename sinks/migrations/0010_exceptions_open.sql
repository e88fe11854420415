-- The exceptions that are open: those of the agents' states, and those that need the reference data or the whole history.

-- What exceptions_open was up to here, word for word (a test holds that): late_delivery and overdue_milestone from the
-- promise and now(), the other kinds as the agents published them.
CREATE OR REPLACE VIEW exceptions_told AS
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

-- The positions of which less is available or on its way than their item's reorder point.
CREATE OR REPLACE VIEW below_reorder_point AS
SELECT
    s.site AS site, s.item AS item, s.unit AS unit, s.available AS available, s.in_transit AS in_transit,
    assumeNotNull(i.reorder_point) AS reorder_point,
    coalesce(s.stockout_since, s.negative_since, s.last_movement_at, toDateTime64(0, 3, 'UTC')) AS known_since
FROM stock_now AS s
INNER JOIN item_reference AS i ON i.item = s.item
WHERE i.unit IN ('', s.unit) AND ifNull(s.available + s.in_transit < i.reorder_point, 0);

-- Since when: the last movement of 28 days that took them there, walking back from now, or the first that is known.
-- What is on its way is taken as it is now, and a count ends the walk.
CREATE OR REPLACE VIEW below_reorder_point_since AS
WITH
    arrayFirstIndex(
        (before, counted) -> counted OR before >= b.reorder_point * 1000,
        arrayMap(sum -> (b.available + b.in_transit) * 1000 - sum, arrayCumSum(m -> m.2, moved.moves)),
        arrayMap(m -> m.3, moved.moves)
    ) AS place
SELECT
    b.site AS site,
    b.item AS item,
    b.unit AS unit,
    b.available AS available,
    b.in_transit AS in_transit,
    b.reorder_point AS reorder_point,
    if(empty(moved.moves), b.known_since, moved.moves[if(place = 0, length(moved.moves), place)].1) AS since
FROM below_reorder_point AS b
LEFT JOIN
(
    SELECT
        said.1 AS site,
        said.2 AS item,
        arrayReverseSort(groupArray((
            said.4,
            said.5 * multiIf(
                said.3 IN ('received', 'returned', 'released', 'restored', 'adjusted') OR said.6 = 'in', 1,
                said.3 IN ('shipped', 'scrapped', 'reserved', 'quarantined') OR said.6 = 'out', -1,
                0
            ),
            said.3 = 'counted'
        ))) AS moves
    FROM
    (
        SELECT
            argMax(
                (site, item, type, occurred_at, quantity_thousandths, direction, retracted),
                (recorded_at, retracted, content_hash)
            ) AS said
        FROM warehouse_events
        WHERE appended_at >= now64(3, 'UTC') - INTERVAL 29 DAY
            AND (site, item) IN (SELECT site, item FROM below_reorder_point)
        GROUP BY sipHash128(site, item, source, event_id)
    )
    WHERE said.7 = 0 AND said.3 NOT IN ('put_away', 'picked', 'packed')
        AND said.4 > now64(3, 'UTC') - INTERVAL 28 DAY AND said.4 <= now64(3, 'UTC')
    GROUP BY site, item
) AS moved ON moved.site = b.site AND moved.item = b.item;

-- Since when a shipment is at risk: when its estimate was first told, else when it departed.
CREATE OR REPLACE VIEW at_risk_since AS
SELECT
    r.shipment_id AS shipment_id,
    r.lane AS lane,
    r.carrier AS carrier,
    r.due_at AS due_at,
    r.expected_at AS expected_at,
    r.basis AS basis,
    assumeNotNull(coalesce(
        if(r.basis = 'estimate', said.since, NULL), r.departed_at, toStartOfDay(now64(3, 'UTC')) - INTERVAL 92 DAY
    )) AS since
FROM at_risk_shipments AS r
LEFT JOIN
(
    SELECT shipment_id, occurred_at, toNullable(min(recorded_at)) AS since
    FROM shipment_events
    WHERE appended_at > now64(3, 'UTC') - INTERVAL 92 DAY
        AND milestone = 'delivered' AND classifier = 'estimated' AND retracted = 0
        AND (shipment_id, occurred_at) IN
            (SELECT shipment_id, assumeNotNull(estimated_at) FROM shipments_now WHERE open = 1 AND estimated_at > due_at)
    GROUP BY shipment_id, occurred_at
) AS said ON said.shipment_id = r.shipment_id AND said.occurred_at = r.expected_at;

-- The exceptions that need the reference data or the whole history, as of now. valid_until: when one is over by itself.
CREATE OR REPLACE VIEW exceptions_found AS
SELECT
    'below_reorder_point' AS kind, 'stock' AS entity_kind, concat(site, '|', item) AS entity,
    '' AS lane, '' AS carrier, site AS site, item AS item, since AS opened_at,
    concat(
        toString(available), ' ', unit, ' available and ', toString(in_transit),
        ' on their way are below the reorder point of ', toString(assumeNotNull(reorder_point)), '.'
    ) AS detail,
    CAST(NULL AS Nullable(DateTime64(3, 'UTC'))) AS valid_until
FROM below_reorder_point_since
UNION ALL
SELECT
    'at_risk', 'shipment', shipment_id, lane, carrier, '', '', since,
    concat(
        'Due ', formatDateTime(assumeNotNull(due_at), '%Y-%m-%d %H:%i'), ' UTC and expected ',
        formatDateTime(expected_at, '%Y-%m-%d %H:%i'), ' UTC, by ',
        if(basis = 'estimate', 'the last estimate.', 'its departure and what the lane takes (p90).')
    ),
    due_at
FROM at_risk_since
UNION ALL
SELECT
    'long_dwell', 'shipment', shipment_id, lane, carrier, place, '', assumeNotNull(long_since),
    concat(
        'At ', place, ' since ', formatDateTime(since, '%Y-%m-%d %H:%i'),
        ' UTC, longer than 24 hours and than 95 in 100 shipments stay there (',
        toString(round(assumeNotNull(p95_hours), 1)), ' hours).'
    ),
    CAST(NULL AS Nullable(DateTime64(3, 'UTC')))
FROM dwelling_now
WHERE long = 1
UNION ALL
SELECT
    'lead_time_shift', 'route', concat(measure, '|', route),
    multiIf(
        measure = 'transit', route, measure = 'carrier_transit', substring(route, position(route, '|') + 1), ''
    ),
    if(measure = 'carrier_transit', substring(route, 1, position(route, '|') - 1), ''),
    if(measure = 'dock_to_stock', route, ''),
    if(measure = 'order_to_delivery', substring(route, position(route, '|') + 1), ''),
    toDateTime64(since, 3, 'UTC'),
    concat(
        toString(measure), ' of ', route, ' is ', toString(round(value_days, 2)), ' days, ',
        if(rule = 'beyond_limit',
            concat(
                'outside of the usual ', toString(round(lower_days, 2)), ' to ', toString(round(upper_days, 2)), '.'
            ),
            concat(
                if(value_days > centre_days, 'above', 'below'), ' the usual ', toString(round(centre_days, 2)),
                ' nine times in a row.'
            )
        )
    ),
    CAST(NULL AS Nullable(DateTime64(3, 'UTC')))
FROM lead_time_shifts
UNION ALL
SELECT
    'silent_source', 'source', source, '', '', '', '',
    assumeNotNull(silent_since) + toIntervalMillisecond(toInt64(3000 * assumeNotNull(usual_gap_s))),
    concat(
        'Nothing has come from ', source, ' since ', formatDateTime(assumeNotNull(silent_since), '%Y-%m-%d %H:%i'),
        ' UTC; its gaps are usually not longer than ', toString(round(assumeNotNull(usual_gap_s) / 60, 1)), ' minutes.'
    ),
    CAST(NULL AS Nullable(DateTime64(3, 'UTC')))
FROM source_arrivals
WHERE silent_since IS NOT NULL;

-- The same, worked out every minute: on a large store it takes a second.
CREATE MATERIALIZED VIEW IF NOT EXISTS exceptions_watched
REFRESH EVERY 1 MINUTE
(
    kind LowCardinality(String),
    entity_kind LowCardinality(String),
    entity String,
    lane String,
    carrier String,
    site String,
    item String,
    opened_at DateTime64(3, 'UTC'),
    detail String,
    valid_until Nullable(DateTime64(3, 'UTC'))
)
ENGINE = MergeTree
ORDER BY (kind, entity)
EMPTY
AS SELECT kind, entity_kind, entity, lane, carrier, site, item, opened_at, detail, valid_until
FROM exceptions_found;

-- One row per open exception.
CREATE OR REPLACE VIEW exceptions_open AS
SELECT
    exception_id, kind, entity_kind, entity, lane, carrier, site, item, opened_at, detail,
    acknowledged, acknowledged_by, acknowledged_until, note
FROM exceptions_told
UNION ALL
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
