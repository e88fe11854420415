-- The items that are described.
SELECT item, name, unit, toString(reorder_point) AS reorder_point
FROM item_reference
ORDER BY item
LIMIT 1000000
