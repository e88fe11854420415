-- The late records that a person asks for, as `which`; what is wanted of them follows.
WITH which AS
(
    SELECT
        epoch, toString(topic) AS topic, partition, offset, toUnixTimestamp64Milli(arrived_at) AS arrived_ms,
        entity, source, event_id, reason, toUnixTimestamp64Milli(applied_at) AS applied_ms,
        length(value) AS bytes
    FROM late_records
    WHERE (empty({sources:Array(String)}) OR has({sources:Array(String)}, source))
        AND (empty({topics:Array(String)}) OR has({topics:Array(String)}, toString(late_records.topic)))
        AND (empty({entities:Array(String)}) OR has({entities:Array(String)}, entity))
        AND toUnixTimestamp64Milli(arrived_at) >= {since:Int64}
        AND toUnixTimestamp64Milli(arrived_at) < {until:Int64}
        AND ({state:String} = 'all' OR isNull(applied_at) = ({state:String} = 'open'))
)
