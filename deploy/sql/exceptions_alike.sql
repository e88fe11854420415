-- The open exceptions whose ids are most like this one: those of the same entity first, then by letters.
SELECT exception_id
FROM exceptions_open
WHERE entity = {entity:String}
    OR ngramDistanceCaseInsensitiveUTF8(exception_id, {id:String}) < 0.5
    OR positionCaseInsensitive(exception_id, {id:String}) > 0
ORDER BY entity = {entity:String} DESC, ngramDistanceCaseInsensitiveUTF8(exception_id, {id:String}), exception_id
LIMIT 3
