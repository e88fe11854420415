-- Note by name what goes of ended orders and shipments, with the last statement of it: what was retracted, and readings.
-- An old position that comes again changes nothing.
INSERT INTO retention_forgotten
SELECT DISTINCT '{{topic}}', sipHash64(entity, toString(source), event_id)
FROM {{table}}
WHERE (retracted = 1 OR type != 'position') AND (epoch, partition, offset) IN
(
    SELECT epoch, partition, offset
    FROM retention_dropping
    WHERE run = {run:UInt64} AND of_table = '{{table}}' AND phase = 2
)
