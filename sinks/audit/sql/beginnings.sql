-- Where an epoch begins in partitions that had records before it.
SELECT toString(topic), partition, max(offset) FROM epoch_beginnings WHERE epoch = {epoch:UInt64} GROUP BY topic, partition
