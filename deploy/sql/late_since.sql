-- What came too late since a moment (ms): the record's text.
SELECT value FROM late_records WHERE arrived_at >= fromUnixTimestamp64Milli({since:Int64}) LIMIT 1000000
