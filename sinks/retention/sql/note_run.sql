-- How far a run is.
INSERT INTO retention_runs
(run, cutoff, stage, step, started_at, ended_at, positions, openings, left_alone, dropped, reason)
SELECT
    {run:UInt64}, fromUnixTimestamp64Milli({cutoff:Int64}), {stage:String}, {step:UInt8},
    fromUnixTimestamp64Milli({run:Int64}), if({step:UInt8} > 3, toNullable(now64(3, 'UTC')), NULL),
    {positions:UInt64}, {openings:UInt64}, {left_alone:UInt64},
    mapFromArrays({tables:Array(String)}, {rows:Array(UInt64)}), {reason:String}
