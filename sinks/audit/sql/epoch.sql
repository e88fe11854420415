-- The epoch that is shown, 0 where none is; how many late records stand that were not applied.
SELECT
    ifNull((SELECT epoch FROM current_epoch), 0),
    (SELECT count() FROM late_records WHERE applied_at IS NULL)
