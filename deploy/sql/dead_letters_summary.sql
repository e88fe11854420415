-- Behind dead_letters_which.sql: counted by what is wrong and who sent it, the most frequent first.
SELECT cause, source, reason, count() AS letters, min(arrived_ms), max(arrived_ms)
FROM which
GROUP BY cause, source, reason
ORDER BY letters DESC, cause, source, reason
LIMIT {limit:UInt32}
