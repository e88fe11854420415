-- one row per day (UTC, of arrival) and source: time, source, score (0 to 100)
SELECT toDateTime(day, 'UTC') AS time, source, score
FROM source_quality_daily
WHERE day >= toDate($__fromTime, 'UTC')
    AND day <= toDate($__toTime, 'UTC')
    AND score IS NOT NULL
    AND $__conditionalAll(source IN (${source:singlequote}), $source)
ORDER BY time, source
