-- Per shipment the last word on everything. Milestones of each classifier by place (leg * 16 + rank), the last statement
-- of each: (place, told, occurred, occurred_due, location). Lines by (order, line, item), the last statement of each.
WITH
    (milestones, nexts) -> arrayFilter((one, next) -> one.1 != next, milestones, nexts) AS last_of_each,
    (lines, nexts) -> arrayFilter((one, next) -> one.1 != next, lines, nexts) AS last_line_of_each,
    arraySort(groupArrayIf((place, told, occurred, occurred_due, location), said_as = 'planned')) AS plans,
    arraySort(groupArrayIf((place, told, occurred, occurred_due, location), said_as = 'estimated')) AS estimates,
    arraySort(groupArrayIf((place, told, occurred, occurred_due, location), said_as = 'actual')) AS reports,
    arraySort(groupArrayArrayIf(lines, loads)) AS loaded,
    arraySort(groupArrayArrayIf(lines, hands_over)) AS handed_over
SELECT
    shipment_id,
    last_of_each(plans, arrayShiftLeft(plans.1, 1)) AS planned,
    last_of_each(estimates, arrayShiftLeft(estimates.1, 1)) AS estimated,
    last_of_each(reports, arrayShiftLeft(reports.1, 1)) AS actual,
    last_line_of_each(loaded, arrayShiftLeft(loaded.1, 1)) AS contents,
    last_line_of_each(handed_over, arrayShiftLeft(handed_over.1, 1)) AS handed,
    argMaxIf(toNullable(occurred), concat(char(intDiv(place, 16)), told), hands_over AND empty(lines)) AS unnamed,
    argMaxIf(f.carrier, f.told, f.carrier != '') AS carrier,
    argMaxIf(f.mode, f.told, f.mode != '') AS mode,
    argMaxIf(f.origin, f.told, f.origin != '') AS origin,
    argMaxIf(f.destination, f.told, f.destination != '') AS destination,
    argMaxIf((promised, due), told, promised IS NOT NULL) AS promise,
    argMinIf(f.seen, (-f.occurred, f.told), f.seen != '') AS seen,
    maxIf(toNullable(f.occurred), f.seen != '') AS seen_at
FROM {{shipment_facts}} AS f
GROUP BY shipment_id
