-- one row per source, the one with the most to mend first: source, events_24h, findings_24h, dead_24h, late_24h,
-- corrections_24h, repeats_24h, zone_assumed_24h, clock_ahead_24h, reporting_delay_p50_s, reporting_delay_p95_s
SELECT
    source,
    events_24h,
    findings_24h,
    dead_24h,
    late_24h,
    corrections_24h,
    repeats_24h,
    zone_assumed_24h,
    clock_ahead_24h,
    reporting_delay_p50_s,
    reporting_delay_p95_s
FROM source_health
WHERE 1 = 1
    AND $__conditionalAll(source IN (${source:singlequote}), $source)
ORDER BY dead_24h + findings_24h + late_24h + clock_ahead_24h DESC, source
LIMIT 300
