-- How many dead letters and replayed records would go.
SELECT
    (SELECT count() FROM dead_letter_records FINAL WHERE appended_at < fromUnixTimestamp64Milli({cutoff:Int64})),
    (SELECT count() FROM replayed_records FINAL WHERE epoch IN ({{left_epochs}}))
