-- Of rows of a fact table whether retention has not dropped the event before: what comes of one later is left out.
epoch = 0 OR sipHash64(entity, toString(source), event_id) NOT IN
(
    SELECT identity
    FROM retention_forgotten
    WHERE topic = '{{topic}}' AND identity IN
        (SELECT sipHash64(entity, toString(source), event_id) FROM {{table}} WHERE epoch > 0 AND {{own_scope}})
)
