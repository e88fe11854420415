-- Whether the history has what we said of an exception: a number that is not 0.
SELECT count() FROM operator_events WHERE entity = {id:String} AND source = {source:String} AND event_id = {event:String}
