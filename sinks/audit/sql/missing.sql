-- The offsets of one partition of an epoch in [first, behind) that the store does not account for: how many, and the
-- first ten thousand of them.
SELECT count(), arraySlice(arraySort(groupArray(10000)(number)), 1, 10000)
FROM numbers({first:UInt64}, {behind:UInt64} - {first:UInt64})
WHERE number NOT IN
(
    SELECT offset FROM {{places}}
    WHERE epoch = {epoch:UInt64} AND topic = {topic:String} AND partition = {partition:UInt32}
)
