-- Behind a `which`: how many there are.
SELECT count() FROM which
