-- One row per route of some measures as the lead-time agent published it: (entity, figures).
SELECT
    concat(toString(measure), '|', route) AS entity,
    (
        toInt32(last_day),
        recent_count, recent_negative, recent_total, toString(recent_squares), recent_p50, recent_p90, recent_p95,
        recent_buckets, recent_counts,
        all_count, all_negative, all_total, toString(all_squares), all_p50, all_p90, all_p95, all_buckets, all_counts
    ) AS figures
FROM lead_stats FINAL
WHERE epoch = (SELECT epoch FROM current_epoch) AND gone = 0 AND measure IN ({{measures}}) AND {{scope}}
