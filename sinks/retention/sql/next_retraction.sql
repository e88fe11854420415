-- Where the next retractions go: behind those that are still there.
SELECT ifNull(maxOrNull(offset) + 1, 0)
FROM warehouse_events
WHERE epoch = 0 AND partition = 1
