-- Behind late_records_which.sql: the newest ones, without their bytes.
SELECT epoch, topic, partition, offset, arrived_ms, entity, source, event_id, reason, applied_ms, bytes
FROM which
ORDER BY arrived_ms DESC, topic, epoch DESC, partition, offset DESC
LIMIT {limit:UInt32}
