-- The lanes that are described; the transit promise in hours.
SELECT lane, round(promised_days * 24, 3) AS transit_promise
FROM lane_reference
ORDER BY lane
LIMIT 1000000
