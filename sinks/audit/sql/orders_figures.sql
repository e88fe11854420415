-- One row per order: (entity, figures), the figures in the order of orders_published.sql.
SELECT
    order_id AS entity,
    (status, supplier, buyer, destination, first_ordered_at, final, lines) AS figures
FROM {{orders}}
WHERE {{scope}}
