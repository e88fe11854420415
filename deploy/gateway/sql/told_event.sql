-- What the history knows of one event of one source: a row for each topic and entity that it was said of (one, unless
-- the source uses an id twice), the one that was spoken of last first. The version order is that of schemas/versions.py
-- and of the views: the greatest (recorded_at, retracted, content_hash). A statement none of whose records came in time,
-- or was applied after all, is in no figure: `told` is of the greatest that is, and of the greatest of all where none
-- is. What retention writes to take an event back that it has folded (epoch 0, partition 1) is nobody's statement.
WITH
said AS
(
    SELECT
        'supplier.events' AS topic, entity, epoch, partition, offset, toString(type) AS type, appended_at, occurred_at,
        recorded_at, retracted, content_hash
    FROM supplier_events
    WHERE event_id = {event_id:String} AND source = {source:String}
    UNION ALL
    SELECT
        'shipment.events' AS topic, entity, epoch, partition, offset, toString(type) AS type, appended_at, occurred_at,
        recorded_at, retracted, content_hash
    FROM shipment_events
    WHERE event_id = {event_id:String} AND source = {source:String}
    UNION ALL
    SELECT
        'warehouse.events' AS topic, entity, epoch, partition, offset, toString(type) AS type, appended_at, occurred_at,
        recorded_at, retracted, content_hash
    FROM warehouse_events
    WHERE event_id = {event_id:String} AND source = {source:String}
        AND NOT (epoch = 0 AND partition = 1)
    UNION ALL
    SELECT
        'reference.events' AS topic, entity, epoch, partition, offset, toString(type) AS type, appended_at, occurred_at,
        recorded_at, retracted, content_hash
    FROM reference_events
    WHERE event_id = {event_id:String} AND source = {source:String}
    UNION ALL
    SELECT
        'operator.events' AS topic, entity, epoch, partition, offset, toString(type) AS type, appended_at, occurred_at,
        recorded_at, retracted, content_hash
    FROM operator_events
    WHERE event_id = {event_id:String} AND source = {source:String}
),
too_late AS
(
    SELECT toString(topic) AS topic, epoch, partition, offset, reason, applied_at
    FROM late_records
    WHERE event_id = {event_id:String} AND source = {source:String}
),
statements AS
(
    SELECT
        said.topic AS topic, said.entity AS entity,
        (said.recorded_at, said.retracted, said.content_hash) AS version,
        any((said.type, toUnixTimestamp64Milli(said.occurred_at))) AS about,
        max(too_late.topic = '' OR isNotNull(too_late.applied_at)) AS counts,
        max((too_late.topic != '', ifNull(toUnixTimestamp64Milli(too_late.applied_at), 0), too_late.reason)) AS late,
        min(toUnixTimestamp64Milli(said.appended_at)) AS first_ms,
        max(toUnixTimestamp64Milli(said.appended_at)) AS last_ms
    FROM said
    LEFT JOIN too_late
        ON too_late.topic = said.topic AND too_late.epoch = said.epoch
        AND too_late.partition = said.partition AND too_late.offset = said.offset
    GROUP BY topic, entity, version
)
SELECT
    topic, entity,
    argMax((about.1, about.2, toUnixTimestamp64Milli(version.1), version.2), (counts, version)) AS told,
    argMax(counts, version) AS newest_counts,
    count() AS statements,
    min(first_ms) AS first_arrived_ms,
    max(last_ms) AS last_arrived_ms,
    argMax(late, (late.1, version)) AS late_told
FROM statements
GROUP BY topic, entity
ORDER BY last_arrived_ms DESC, topic, entity
