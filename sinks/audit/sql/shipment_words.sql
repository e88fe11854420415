-- Per shipment the last word on everything. `said`: of each milestone and classifier the last statement, in order:
-- (place * 4 + said_as, told, occurred, occurred_due, location). `goods`: by (order, line, item) the last statement on
-- what is inside (0) and on what was handed over (1), see shipment_facts.sql.
SELECT
    * EXCEPT (all_said, all_lines),
    arrayFilter((one, next) -> one.1 != next, all_said, arrayShiftLeft(all_said.1, 1)) AS said,
    arrayFilter(
        (one, next) -> one.1 != next.1 OR one.2 != next.2, all_lines, arrayShiftLeft(all_lines, 1)
    ) AS goods
FROM
(
    SELECT
        shipment_id,
        arraySort(
            groupArrayIf((toUInt32(place * 4 + f.said_as), f.told, f.occurred, occurred_due, location), f.said_as > 0)
        ) AS all_said,
        arraySort(groupArrayArrayIf(lines, tells_lines)) AS all_lines,
        argMaxIf(toNullable(f.occurred), concat(char(intDiv(place, 16)), f.told), hands_over AND empty(lines)) AS unnamed,
        argMaxIf(f.carrier, f.told, f.carrier != '') AS carrier,
        argMaxIf(f.mode, f.told, f.mode != '') AS mode,
        argMaxIf(f.origin, f.told, f.origin != '') AS origin,
        argMaxIf(f.destination, f.told, f.destination != '') AS destination,
        argMaxIf((promised, due), f.told, promised IS NOT NULL) AS promise,
        argMinIf(f.seen, (-f.occurred, f.told), f.seen != '') AS seen,
        maxIf(toNullable(f.occurred), f.seen != '') AS seen_at
    FROM {{shipment_facts}} AS f
    GROUP BY shipment_id
)
