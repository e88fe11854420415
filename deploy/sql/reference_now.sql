-- Of everything that is described: the description that counts, as the views of reference data pick it.
SELECT entity, argMax(raw, (recorded_at, occurred_at, source, event_id)) AS raw
FROM reference_events_now
GROUP BY entity
