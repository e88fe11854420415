-- Observed transit times: of the lane, of the carrier on it, and of each leg whose departure and arrival were reported
-- with their places. One observation a row: (measure, route, day, duration).
WITH
    at -> toInt32(floor(at / 86400000)) AS day_of,
    assumeNotNull(delivered_at) - assumeNotNull(departed_at) AS transit,
    day_of(assumeNotNull(delivered_at)) AS arrival_day,
    if(departed_at IS NULL OR delivered_at IS NULL, [], [('transit', lane, arrival_day, transit)]) AS of_lane,
    if(
        carrier = '' OR empty(of_lane), [], [('carrier_transit', concat(carrier, '|', lane), arrival_day, transit)]
    ) AS of_carrier,
    arrayFilter(
        pair -> pair.1.1 % 16 = 5 AND pair.2.1 = pair.1.1 + 1 AND pair.1.3 != '' AND pair.2.3 != '',
        arrayZip(actual, arrayShiftLeft(actual, 1))
    ) AS legs,
    arrayMap(
        pair -> ('leg_transit', concat(pair.1.3, '>', pair.2.3), day_of(pair.2.2), pair.2.2 - pair.1.2), legs
    ) AS of_legs
SELECT
    seen.1 AS measure,
    seen.2 AS route,
    seen.3 AS day,
    seen.4 AS duration
FROM {{shipments}}
ARRAY JOIN arrayConcat(of_lane, of_carrier, of_legs) AS seen
