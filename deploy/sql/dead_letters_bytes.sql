-- Behind dead_letters_which.sql: those between two places (both included) with their bytes, in the order of the table.
SELECT
    epoch, topic, partition, offset, origin, arrived_ms, source, cause, reason, field, resent_ms, bytes,
    base64Encode(key), base64Encode(value)
FROM which
WHERE (topic, epoch, partition, offset)
    >= ({from_topic:String}, {from_epoch:UInt64}, {from_partition:UInt32}, {from_offset:UInt64})
    AND (topic, epoch, partition, offset)
    <= ({to_topic:String}, {to_epoch:UInt64}, {to_partition:UInt32}, {to_offset:UInt64})
ORDER BY topic, epoch, partition, offset, origin
