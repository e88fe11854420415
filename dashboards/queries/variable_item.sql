-- one row per item that is or was in stock: item
SELECT DISTINCT item
FROM stock_now
ORDER BY item
