-- the 40 worst lanes with open shipments: id, source, target, mainstat (late), secondarystat (open)
SELECT
    lane AS id,
    origin AS source,
    destination AS target,
    concat(toString(late), ' late') AS mainstat,
    concat(toString(open), ' open') AS secondarystat
FROM
(
        SELECT lane, origin, destination, open, late, at_risk
        FROM lanes_now
        WHERE open > 0
            AND $__conditionalAll(lane IN (${lane:singlequote}), $lane)
        ORDER BY late DESC, at_risk DESC, open DESC, lane
        LIMIT 40
)
ORDER BY late DESC, id
