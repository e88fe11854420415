-- Orders that had closed when a shipment of theirs told something new, which is kept but not applied: (order_id, how
-- often).
SELECT entity AS order_id, count()
FROM late_event_records
WHERE topic = 'delivery.contributions'
GROUP BY entity
