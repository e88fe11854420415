-- Note by name what the openings stand for (earlier openings need no name: nobody corrects them).
INSERT INTO retention_forgotten
SELECT DISTINCT 'warehouse.events', sipHash64(concat(site, '|', item), source, event_id)
FROM retention_movements
WHERE run = {run:UInt64}
    AND (site, item) IN (SELECT site, item FROM retention_openings WHERE partition = 0)
    AND NOT (source = 'quayside' AND startsWith(event_id, 'opening/'))
