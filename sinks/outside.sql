-- What reaches outside the store, by the engine's own lists, so that a newer engine's additions are in it.
-- One row per name: kind ('table function' or 'function'), lower_name.
-- A table function is refused unless it is named here; a function only if it reads files, calls services
-- or runs programs.
SELECT
    'table function' AS kind,
    lower(name) AS lower_name
FROM system.table_functions
WHERE name NOT IN (
    'format', 'generateRandom', 'generateSeries', 'generate_series', 'merge', 'null', 'numbers',
    'numbers_mt', 'SQLStandardValues', 'values', 'view', 'viewExplain', 'zeros', 'zeros_mt'
)
UNION ALL
SELECT
    'function' AS kind,
    lower(name) AS lower_name
FROM system.functions
WHERE name IN ('file', 'showCertificate', 'catboostEvaluate')
    OR categories = 'AI'
    OR alias_to IN (SELECT name FROM system.functions WHERE categories = 'AI')
    OR origin != 'System'
