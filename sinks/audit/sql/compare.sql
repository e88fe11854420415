-- One row: how many entities were compared, how many differ, and the first that do: (entity, published, recomputed),
-- each as JSON, empty where there is none.
SELECT
    count() AS compared,
    countIf(differs) AS differing,
    groupArrayIf({{most}})((entity, toJSONString(published), toJSONString(recomputed)), differs) AS different
FROM
(
    SELECT
        entity,
        groupArrayIf(figures, side = 0) AS published,
        groupArrayIf(figures, side = 1) AS recomputed,
        published != recomputed AS differs
    FROM
    (
        SELECT entity, figures, 0 AS side FROM {{published}}
        UNION ALL
        SELECT entity, figures, 1 AS side FROM {{recomputed}}
    )
    GROUP BY entity
)
