-- The last late record of one event of one source, for the moment in which the history has it, but not the event yet.
SELECT
    toString(topic), entity, toUnixTimestamp64Milli(arrived_at), reason, toUnixTimestamp64Milli(applied_at),
    base64Encode(value)
FROM late_records
WHERE event_id = {event_id:String} AND source = {source:String}
ORDER BY arrived_at DESC, topic, epoch DESC, partition, offset DESC
LIMIT 1
