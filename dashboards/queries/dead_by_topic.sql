-- one row per bucket and topic that has dead letters: time, topic, dead
SELECT $__timeInterval(arrived_at) AS time, topic, count() AS dead
FROM dead_letters
WHERE $__timeFilter(arrived_at)
    AND $__conditionalAll(source IN (${source:singlequote}), $source)
GROUP BY time, topic
ORDER BY time, topic
