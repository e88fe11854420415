-- one row per source, the one with the most to mend first: source, score_7d, score_30d (0 to 100), events_7d, and of 7 days
-- the points that each part cost: lost_rejects, lost_too_late, lost_findings, lost_told_late, lost_missing,
-- lost_clock_ahead, lost_zone_assumed, lost_restated, lost_retractions, lost_repeats; delay_p95_s
SELECT
    q.source AS source,
    maxIf(q.score, q.days = 7) AS score_7d,
    maxIf(q.score, q.days = 30) AS score_30d,
    sumIf(q.events, q.days = 7) AS events_7d,
    maxIf(q.lost_rejects, q.days = 7) AS lost_rejects,
    maxIf(q.lost_too_late, q.days = 7) AS lost_too_late,
    maxIf(q.lost_findings, q.days = 7) AS lost_findings,
    maxIf(q.lost_told_late, q.days = 7) AS lost_told_late,
    maxIf(q.lost_missing, q.days = 7) AS lost_missing,
    maxIf(q.lost_clock_ahead, q.days = 7) AS lost_clock_ahead,
    maxIf(q.lost_zone_assumed, q.days = 7) AS lost_zone_assumed,
    maxIf(q.lost_restated, q.days = 7) AS lost_restated,
    maxIf(q.lost_retractions, q.days = 7) AS lost_retractions,
    maxIf(q.lost_repeats, q.days = 7) AS lost_repeats,
    maxIf(q.delay_p95_s, q.days = 7) AS delay_p95_s
FROM source_quality AS q
WHERE 1 = 1
    AND $__conditionalAll(q.source IN (${source:singlequote}), $source)
GROUP BY q.source
ORDER BY score_7d IS NULL, score_7d, score_30d, source
LIMIT 300
