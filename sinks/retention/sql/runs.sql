-- All runs, the earliest first.
SELECT
    run, toUnixTimestamp64Milli(cutoff), toString(stage), toUnixTimestamp64Milli(ended_at), positions, openings, left_alone,
    mapKeys(dropped), mapValues(dropped), reason
FROM retention_runs FINAL
ORDER BY run
