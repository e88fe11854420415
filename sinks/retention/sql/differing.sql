-- Positions whose openings do not add up to what they stand for: how many, and one of them.
SELECT count(), any(concat(site, '|', item))
FROM
(
    SELECT site, item
    FROM
    (
        SELECT 0 AS after, site, item, figures FROM ({{before}})
        UNION ALL
        SELECT 1 AS after, site, item, figures FROM ({{after}})
    )
    GROUP BY site, item
    HAVING uniqExact(after) != 2 OR uniqExact(figures) != 1
)
