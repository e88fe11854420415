-- Of every event the statement that counts. The version order is that of schemas/versions.py: the greatest
-- (recorded_at, retracted, content_hash) wins; retracted events are left out. An event is identified by
-- (source, event_id) within its entity, as the agents see it. Rows that are not merged yet are repeats of one
-- coordinate, and one of them is taken, so that no FINAL is needed; a filter on the entity reaches the index.

CREATE OR REPLACE VIEW supplier_events_now AS
SELECT
    epoch, partition, offset, entity, order_id, appended_at, source, event_id, type, occurred_at, recorded_at, offset_minutes, retracted,
    precision, zone_assumed, content_hash, references, attributes, findings, raw
FROM
(
    SELECT
        epoch, partition, offset, entity, order_id, appended_at, source, event_id, type, occurred_at, recorded_at, offset_minutes, retracted,
        precision, zone_assumed, content_hash, references, attributes, findings, raw
    FROM supplier_events
    ORDER BY
        order_id, source, event_id,
        recorded_at DESC, retracted DESC, content_hash DESC,
        epoch, partition, offset
    LIMIT 1 BY order_id, source, event_id
)
WHERE retracted = 0;

CREATE OR REPLACE VIEW shipment_events_now AS
SELECT
    epoch, partition, offset, entity, shipment_id, appended_at, source, event_id, type, occurred_at, recorded_at, offset_minutes, retracted,
    precision, zone_assumed, content_hash, references, attributes, findings, raw, milestone, classifier, leg
FROM
(
    SELECT
        epoch, partition, offset, entity, shipment_id, appended_at, source, event_id, type, occurred_at, recorded_at, offset_minutes, retracted,
        precision, zone_assumed, content_hash, references, attributes, findings, raw, milestone, classifier, leg
    FROM shipment_events
    ORDER BY
        shipment_id, source, event_id,
        recorded_at DESC, retracted DESC, content_hash DESC,
        epoch, partition, offset
    LIMIT 1 BY shipment_id, source, event_id
)
WHERE retracted = 0;

CREATE OR REPLACE VIEW warehouse_events_now AS
SELECT
    epoch, partition, offset, entity, site, item, appended_at, source, event_id, type, occurred_at, recorded_at, offset_minutes, retracted,
    precision, zone_assumed, content_hash, references, attributes, findings, raw, quantity_thousandths, quantity, unit, direction
FROM
(
    SELECT
        epoch, partition, offset, entity, site, item, appended_at, source, event_id, type, occurred_at, recorded_at, offset_minutes, retracted,
        precision, zone_assumed, content_hash, references, attributes, findings, raw, quantity_thousandths, quantity, unit, direction
    FROM warehouse_events
    ORDER BY
        site, item, source, event_id,
        recorded_at DESC, retracted DESC, content_hash DESC,
        epoch, partition, offset
    LIMIT 1 BY site, item, source, event_id
)
WHERE retracted = 0;

CREATE OR REPLACE VIEW reference_events_now AS
SELECT
    epoch, partition, offset, entity, appended_at, source, event_id, type, occurred_at, recorded_at, offset_minutes, retracted,
    precision, zone_assumed, content_hash, references, attributes, findings, raw
FROM
(
    SELECT
        epoch, partition, offset, entity, appended_at, source, event_id, type, occurred_at, recorded_at, offset_minutes, retracted,
        precision, zone_assumed, content_hash, references, attributes, findings, raw
    FROM reference_events
    ORDER BY
        entity, source, event_id,
        recorded_at DESC, retracted DESC, content_hash DESC,
        epoch, partition, offset
    LIMIT 1 BY entity, source, event_id
)
WHERE retracted = 0;

CREATE OR REPLACE VIEW operator_events_now AS
SELECT
    epoch, partition, offset, entity, exception_id, appended_at, source, event_id, type, occurred_at, recorded_at, offset_minutes, retracted,
    precision, zone_assumed, content_hash, references, attributes, findings, raw, operator, until, note
FROM
(
    SELECT
        epoch, partition, offset, entity, exception_id, appended_at, source, event_id, type, occurred_at, recorded_at, offset_minutes, retracted,
        precision, zone_assumed, content_hash, references, attributes, findings, raw, operator, until, note
    FROM operator_events
    ORDER BY
        entity, source, event_id,
        recorded_at DESC, retracted DESC, content_hash DESC,
        epoch, partition, offset
    LIMIT 1 BY entity, source, event_id
)
WHERE retracted = 0;

-- Exceptions that somebody has in hand now: the latest statement of a person on each, if it is an
-- acknowledgement and its time is not over.
CREATE OR REPLACE VIEW acknowledgements_now AS
SELECT
    exception_id,
    latest.2 AS operator,
    latest.3 AS until,
    latest.4 AS note
FROM
(
    SELECT
        exception_id,
        argMax((toString(type), operator, until, note), (occurred_at, recorded_at, source, event_id)) AS latest
    FROM operator_events_now
    GROUP BY exception_id
)
WHERE latest.1 = 'acknowledged' AND ifNull(latest.3 > now64(3, 'UTC'), 0);

-- Records that could not be processed, one row each.
CREATE OR REPLACE VIEW dead_letters AS
SELECT
    appended_at AS arrived_at, source, cause, reason, field, topic, epoch, partition, offset, origin, key, value
FROM dead_letter_records FINAL;

-- Events that came after their period had closed, one row each.
CREATE OR REPLACE VIEW late_records AS
SELECT
    appended_at AS arrived_at, topic, epoch, partition, offset, entity, source, event_id, reason, value
FROM late_event_records FINAL;
