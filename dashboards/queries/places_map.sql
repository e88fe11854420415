-- one row per place with coordinates where open shipments come from or go to: place, latitude, longitude, late,
-- at_risk, open_shipments, worst_lane
SELECT
    place,
    any(lat) AS latitude,
    any(lon) AS longitude,
    sum(here.late) AS late,
    sum(here.at_risk) AS at_risk,
    sum(here.open) AS open_shipments,
    argMax(lane, (here.late, lane)) AS worst_lane
FROM
(
    SELECT
        lane,
        late,
        at_risk,
        open,
        arrayJoin([
            (origin, origin_latitude, origin_longitude), (destination, destination_latitude, destination_longitude)
        ]) AS ending,
        ending.1 AS place,
        ending.2 AS lat,
        ending.3 AS lon
    FROM lanes_now
    WHERE open > 0
        AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
) AS here
WHERE lat IS NOT NULL AND lon IS NOT NULL
GROUP BY place
ORDER BY late, place
