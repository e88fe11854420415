-- Whether somebody has an exception in hand: a number that is not 0.
SELECT count() FROM acknowledgements_now WHERE exception_id = {id:String}
