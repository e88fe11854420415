-- Where something stands that was said of an event after retention had dropped it. Epoch 0 are retention's own: openings,
-- and retractions.
SELECT DISTINCT epoch, partition, offset
FROM {{table}}
WHERE epoch > 0 AND ({{which}}) AND sipHash64(entity, toString(source), event_id) IN ({{forgotten:{{topic}}}})
