-- Epochs whose broker was left before the cutoff: a newer one was shown by then.
SELECT epoch
FROM epochs FINAL
WHERE epoch <
(
    SELECT ifNull(maxOrNull(epoch), 0)
    FROM epochs FINAL
    WHERE ended_at < fromUnixTimestamp64Milli({cutoff:Int64}) AND epoch <= (SELECT epoch FROM current_epoch)
)
