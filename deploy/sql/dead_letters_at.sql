-- The dead letters at one coordinate: one, or where a line was refused under several names, one per origin.
SELECT
    epoch, toString(topic), partition, offset, origin, toUnixTimestamp64Milli(arrived_at), source, toString(cause),
    reason, field, toUnixTimestamp64Milli(resent_at), length(value), base64Encode(key), base64Encode(value)
FROM dead_letters
WHERE topic = {topic:String} AND epoch = {epoch:UInt64} AND partition = {partition:UInt32}
    AND offset = {offset:UInt64}
ORDER BY origin
