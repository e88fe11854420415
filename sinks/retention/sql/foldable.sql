-- The warehouse events that become openings: all statements old, and before the end of the last day that goes, which is
-- a position's own where something of that day or an earlier one arrived after the cutoff.
SELECT
    one.site AS site,
    one.item AS item,
    one.said.1 AS occurred_at,
    one.said.2 AS kind,
    one.source AS source,
    one.event_id AS event_id,
    one.said.3 AS quantity,
    one.said.4 AS unit,
    one.said.5 AS shipment_id,
    one.said.6 AS lot,
    one.counts AS counts,
    one.statements AS statements
FROM ({{identities}}) AS one
INNER JOIN
(
    SELECT
        site,
        item,
        least(
            {behind:Int64},
            if(
                countIf(counts AND NOT is_old) = 0,
                {behind:Int64},
                toUnixTimestamp64Milli(minIf(said.1, counts AND NOT is_old))
            )
        ) AS first_kept,
        first_kept - positiveModulo(first_kept, 86400000) AS behind_it
    FROM ({{identities}})
    GROUP BY site, item
    HAVING countIf(is_old AND NOT is_opening) > 0
        AND toUnixTimestamp64Milli(minIf(said.1, is_old AND NOT is_opening)) < behind_it
) AS place ON place.site = one.site AND place.item = one.item
WHERE one.is_old AND toUnixTimestamp64Milli(one.said.1) < place.behind_it
