-- Which of some events of a topic retention dropped: (entity, source, event_id).
WITH asked AS
(
    SELECT one.1 AS entity, one.2 AS source, one.3 AS event_id, sipHash64(entity, source, event_id) AS identity
    FROM (SELECT arrayJoin([{{asked}}]) AS one)
)
SELECT entity, source, event_id
FROM asked
WHERE identity IN
(
    SELECT identity FROM retention_forgotten
    WHERE topic = '{{topic}}' AND identity IN (SELECT identity FROM asked)
)
