-- The dead letters that a person asks for, as `which`; what is wanted of them follows.
WITH which AS
(
    SELECT
        epoch, toString(topic) AS topic, partition, offset, origin,
        toUnixTimestamp64Milli(arrived_at) AS arrived_ms,
        source, toString(cause) AS cause, reason, field,
        toUnixTimestamp64Milli(resent_at) AS resent_ms,
        length(value) AS bytes, key, value
    FROM dead_letters
    WHERE (empty({sources:Array(String)}) OR has({sources:Array(String)}, source))
        AND (empty({causes:Array(String)}) OR has({causes:Array(String)}, toString(dead_letters.cause)))
        AND (empty({topics:Array(String)}) OR has({topics:Array(String)}, toString(dead_letters.topic)))
        AND toUnixTimestamp64Milli(arrived_at) >= {since:Int64}
        AND toUnixTimestamp64Milli(arrived_at) < {until:Int64}
        AND ({reason:String} = '' OR positionCaseInsensitiveUTF8(reason, {reason:String}) > 0)
        AND ({state:String} = 'all' OR isNull(resent_at) = ({state:String} = 'open'))
)
