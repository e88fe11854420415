-- Whether an exception is open: a number that is not 0.
SELECT count() FROM exceptions_open WHERE exception_id = {id:String}
