-- The sites that are described.
SELECT site, name, country, latitude, longitude, time_zone, toString(capacity_per_day) AS capacity_per_day
FROM site_capacity
ORDER BY site
LIMIT 1000000
