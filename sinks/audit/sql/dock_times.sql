-- Per position and receipt (shipment, else lot) the time from the first goods in to the last put away, once at least
-- as much was put away as came in: dock to stock. One observation a row: (measure, route, day, duration).
SELECT
    'dock_to_stock' AS measure,
    site AS route,
    toInt32(floor(maxIf(move.1, move.2 = 4) / 86400000)) AS day,
    maxIf(move.1, move.2 = 4) - minIf(move.1, move.2 = 1) AS duration
FROM {{movements}}
ARRAY JOIN arrayFilter(move -> move.8 != '', own) AS move
GROUP BY site, item, move.8
HAVING countIf(move.2 = 1) > 0
    AND countIf(move.2 = 4) > 0
    AND sumIf(move.5, move.2 = 4) >= sumIf(move.5, move.2 = 1)
