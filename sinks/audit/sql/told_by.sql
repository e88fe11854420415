-- Up to when (ms) the agents have told by now what time opened: up to a minute ago. While a load of history goes on,
-- time opens nothing there: up to a minute before it began.
toUnixTimestamp64Milli(least(
    now64(3, 'UTC'), ifNull((SELECT minOrNull(began_at) FROM loads_running), now64(3, 'UTC'))
)) - 60000
