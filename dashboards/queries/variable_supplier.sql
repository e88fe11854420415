-- one row per supplier of any order: supplier
SELECT DISTINCT supplier
FROM orders_now
WHERE supplier != ''
ORDER BY supplier
