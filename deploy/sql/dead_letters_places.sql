-- Behind dead_letters_which.sql: where each stands and how long it is, in the order of the table.
SELECT epoch, topic, partition, offset, origin, bytes
FROM which
ORDER BY topic, epoch, partition, offset, origin
LIMIT {limit:UInt32}
