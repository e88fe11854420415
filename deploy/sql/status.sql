-- One row: what the store knows of the pipeline. stored: records of the fact topics, once per coordinate;
-- accepted: distinct statements among them; the rest are repeats.
WITH
    (SELECT (sum(stored), sum(accepted)) FROM records_by_topic) AS records,
    (
        SELECT (count(), countIf(due_at < now64(3, 'UTC')))
        FROM shipments_under_way FINAL
        WHERE epoch = (SELECT epoch FROM current_epoch) AND NOT final
    ) AS shipments
SELECT
    records.1 AS stored,
    records.2 AS accepted,
    (SELECT count() FROM dead_letters) AS dead,
    (SELECT count() FROM late_records) AS late,
    shipments.1 AS shipments_open,
    shipments.2 AS late_now,
    (SELECT count() FROM stock_now) AS positions
