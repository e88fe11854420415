-- What alert rules have to know of the way of the data: whether history is being loaded, a backlog is being read, or the
-- states are being made anew. Nobody is paged for what a load tells, nor for a promise whose keeping may still be on its way in.

-- Where loads of history begin and end, partition by partition (the marks of schemas/coordinates.py).
CREATE TABLE IF NOT EXISTS load_marks
(
    epoch UInt64,
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64,
    appended_at DateTime64(3, 'UTC'),
    load String,
    begins UInt8,
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (load, epoch, topic, partition, begins);

-- When shipment events were stored that had waited in the broker for more than ten seconds, and since when the earliest
-- of them had. An empty pipeline stores within a second.
CREATE TABLE IF NOT EXISTS backlog_read
(
    at DateTime64(3, 'UTC'),
    oldest DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY at
TTL toDateTime(at) + INTERVAL 1 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS shipment_backlog_read TO backlog_read AS
SELECT now64(3, 'UTC') AS at, min(appended_at) AS oldest
FROM shipment_events
WHERE appended_at < now64(3, 'UTC') - INTERVAL 10 SECOND
HAVING count() > 0;

-- One row. known_until: up to when what was published is known. Now; but
-- - while a backlog is read, and for half a minute after (so that the agents have taken it too): the time of the earliest
--   of it that was read last;
-- - while the states are made anew, as after a restart: the time of the newest event, for ten minutes at most.
-- Neither lasts for ever: where nothing is read or made any more, as from a dead pipeline, it is now again. catching_up:
-- whether it is one of the two.
CREATE OR REPLACE VIEW alert_moment AS
WITH
    now64(3, 'UTC') AS moment,
    (SELECT minOrNull(oldest) FROM backlog_read WHERE at > now64(3, 'UTC') - INTERVAL 30 SECOND) AS read_until,
    (
        SELECT count()
        FROM epochs FINAL
        WHERE ended_at IS NULL AND started_at > now64(3, 'UTC') - INTERVAL 10 MINUTE
            AND epoch > (SELECT epoch FROM current_epoch)
    ) > 0 AS rebuilding
SELECT
    least(
        moment,
        ifNull(read_until, moment),
        ifNull((SELECT maxOrNull(appended_at) FROM shipment_events WHERE rebuilding), moment)
    ) AS known_until,
    toUInt8(rebuilding OR read_until IS NOT NULL) AS catching_up;

-- The loads that go on: begun within a day (whoever published an older one is gone), and not ended in every partition,
-- or only within the last half minute.
CREATE OR REPLACE VIEW loads_running AS
SELECT load, min(begun_at) AS began_at
FROM
(
    SELECT
        load,
        minIf(appended_at, begins = 1) AS begun_at,
        maxOrNullIf(inserted_at, begins = 0) AS ended_at
    FROM load_marks
    WHERE appended_at > now64(3, 'UTC') - INTERVAL 1 DAY
    GROUP BY load, epoch, topic, partition
    HAVING countIf(begins = 1) > 0 AND ifNull(ended_at > now64(3, 'UTC') - INTERVAL 30 SECOND, 1)
)
GROUP BY load;

-- The shipments that are past due or overdue at a milestone, and that were told of for the first time since a running
-- load began. None where no load runs, and then nothing is read.
CREATE OR REPLACE VIEW shipments_loading AS
SELECT shipment_id, min(appended_at) AS told_at
FROM shipment_events
WHERE (SELECT count() FROM loads_running) > 0
    AND shipment_id IN
    (
        SELECT shipment_id
        FROM shipments_under_way FINAL
        WHERE (SELECT count() FROM loads_running) > 0 AND epoch = (SELECT epoch FROM current_epoch) AND NOT final
            AND (
                ifNull(due_at < now64(3, 'UTC'), 0) OR arrayExists(due -> due < now64(3, 'UTC'), awaited.due_at)
            )
    )
GROUP BY shipment_id
HAVING told_at >= (SELECT min(began_at) FROM loads_running);

-- The late shipments of which no alert tells for the time being. load: a running load told of it when its promise was
-- broken already. Of what is caught up with, backlog: the promise was broken at a time of which not everything is known
-- yet; arrived: its end is in the history, and not worked out yet.
CREATE OR REPLACE VIEW late_withheld AS
SELECT s.shipment_id AS shipment_id, 'load' AS reason
FROM shipments_under_way AS s FINAL
INNER JOIN shipments_loading AS told ON told.shipment_id = s.shipment_id
WHERE (SELECT count() FROM loads_running) > 0 AND s.epoch = (SELECT epoch FROM current_epoch) AND NOT s.final
    AND s.due_at < told.told_at
UNION ALL
SELECT s.shipment_id AS shipment_id, 'backlog' AS reason
FROM shipments_under_way AS s FINAL
WHERE (SELECT catching_up FROM alert_moment) = 1
    AND s.epoch = (SELECT epoch FROM current_epoch) AND NOT s.final
    AND s.due_at >= (SELECT known_until FROM alert_moment) AND s.due_at < now64(3, 'UTC')
UNION ALL
SELECT e.shipment_id AS shipment_id, 'arrived' AS reason
FROM shipment_events AS e
WHERE (SELECT catching_up FROM alert_moment) = 1
    AND e.milestone IN ('delivered', 'returned', 'cancelled') AND e.classifier = 'actual' AND NOT e.retracted
    AND e.shipment_id IN
    (
        SELECT shipment_id
        FROM shipments_under_way FINAL
        WHERE (SELECT catching_up FROM alert_moment) = 1
            AND epoch = (SELECT epoch FROM current_epoch) AND NOT final AND due_at < now64(3, 'UTC')
    );

-- As before, but one that never moved (its goods are all on their way) is below its reorder point since its item was
-- first described, and not since 1970.
CREATE OR REPLACE VIEW below_reorder_point AS
SELECT
    s.site AS site, s.item AS item, s.unit AS unit, s.available AS available, s.in_transit AS in_transit,
    assumeNotNull(i.reorder_point) AS reorder_point,
    coalesce(s.stockout_since, s.negative_since, s.last_movement_at, first_told.described_at) AS known_since
FROM stock_now AS s
INNER JOIN item_reference AS i ON i.item = s.item
LEFT JOIN
(
    SELECT substring(entity, 6) AS item, min(appended_at) AS described_at
    FROM reference_events
    WHERE type = 'item_described'
    GROUP BY item
) AS first_told ON first_told.item = s.item
WHERE i.unit IN ('', s.unit) AND ifNull(s.available + s.in_transit < i.reorder_point, 0);
