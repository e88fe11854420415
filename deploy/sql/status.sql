-- One row: what the store knows of the pipeline. stored: records of the fact topics, once per coordinate;
-- accepted: distinct statements among them; the rest are repeats.
WITH
    statements AS
    (
        SELECT source, event_id, recorded_at, retracted, content_hash, 's' AS topic FROM supplier_events FINAL
        UNION ALL
        SELECT source, event_id, recorded_at, retracted, content_hash, 'h' AS topic FROM shipment_events FINAL
        UNION ALL
        SELECT source, event_id, recorded_at, retracted, content_hash, 'w' AS topic FROM warehouse_events FINAL
        UNION ALL
        SELECT source, event_id, recorded_at, retracted, content_hash, 'r' AS topic FROM reference_events FINAL
        UNION ALL
        SELECT source, event_id, recorded_at, retracted, content_hash, 'o' AS topic FROM operator_events FINAL
    )
SELECT
    count() AS stored,
    uniqExact(topic, source, event_id, recorded_at, retracted, content_hash) AS accepted,
    (SELECT count() FROM dead_letters) AS dead,
    (SELECT count() FROM late_records) AS late,
    (SELECT countIf(open = 1) FROM shipments_now) AS shipments_open,
    (SELECT count() FROM late_shipments) AS late_now,
    (SELECT count() FROM stock_now) AS positions
FROM statements
