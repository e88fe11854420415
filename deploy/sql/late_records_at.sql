-- The late record at one coordinate.
SELECT
    epoch, toString(topic), partition, offset, toUnixTimestamp64Milli(arrived_at), entity, source, event_id, reason,
    toUnixTimestamp64Milli(applied_at), length(value), base64Encode(value)
FROM late_records
WHERE topic = {topic:String} AND epoch = {epoch:UInt64} AND partition = {partition:UInt32}
    AND offset = {offset:UInt64}
