-- the places of the 40 worst lanes with open shipments: id, title, mainstat (late), secondarystat (open), arc__late,
-- arc__at_risk, arc__fine (shares of the open ones that leave or are bound there; together 1)
SELECT
    place AS id,
    place AS title,
    sum(late) AS mainstat,
    concat(toString(sum(open)), ' open') AS secondarystat,
    least(sum(late) / sum(open), 1) AS arc__late,
    least(sum(at_risk) / sum(open), 1 - arc__late) AS arc__at_risk,
    1 - arc__late - arc__at_risk AS arc__fine
FROM
(
    SELECT arrayJoin(arrayDistinct([origin, destination])) AS place, open, late, at_risk
    FROM
    (
        SELECT lane, origin, destination, open, late, at_risk
        FROM lanes_now
        WHERE open > 0
            AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
        ORDER BY late DESC, at_risk DESC, open DESC, lane
        LIMIT 40
    )
)
GROUP BY place
ORDER BY mainstat DESC, id
