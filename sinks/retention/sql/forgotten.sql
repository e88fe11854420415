-- Of the events of a fact table those that retention dropped, by identity: only of what is asked for, so that no more is
-- held in memory than that.
SELECT identity
FROM retention_forgotten
WHERE topic = '{{topic}}' AND identity IN
(
    SELECT sipHash64(entity, toString(source), event_id) FROM {{table}} WHERE epoch > 0 AND ({{which}})
)
