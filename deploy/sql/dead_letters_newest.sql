-- Behind dead_letters_which.sql: the newest ones, without their bytes.
SELECT epoch, topic, partition, offset, origin, arrived_ms, source, cause, reason, field, resent_ms, bytes
FROM which
ORDER BY arrived_ms DESC, topic, epoch DESC, partition, offset DESC, origin
LIMIT {limit:UInt32}
