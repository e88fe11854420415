-- How many movements may go at most: by it a run is cut into parts.
SELECT count() FROM warehouse_events WHERE appended_at < fromUnixTimestamp64Milli({cutoff:Int64}) AND epoch > 0
