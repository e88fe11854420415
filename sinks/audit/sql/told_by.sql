-- Up to when (ms) the agents have told by now what time opened.
toUnixTimestamp64Milli(now64(3, 'UTC')) - 60000
