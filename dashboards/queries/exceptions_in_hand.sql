-- one row: in_hand, open exceptions of any kind that somebody has acknowledged until a time that is not over
SELECT count() AS in_hand
FROM exceptions_open
WHERE acknowledged = 1
