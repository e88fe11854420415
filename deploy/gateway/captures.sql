-- What was captured by EPCIS: jobs, events as they came, by what they concern each other, and what was said of each.
CREATE TABLE IF NOT EXISTS jobs (
    capture_id TEXT PRIMARY KEY,
    token TEXT NOT NULL,
    source TEXT NOT NULL,
    may TEXT NOT NULL, -- the grant under which it came, as JSON
    behaviour TEXT NOT NULL, -- rollback, proceed
    document BLOB, -- until it is finished
    created_ms INTEGER NOT NULL,
    finished_ms INTEGER,
    state TEXT NOT NULL, -- new, staged (its events are kept, what follows is being published), finished
    errors TEXT NOT NULL DEFAULT '[]',
    warnings TEXT NOT NULL DEFAULT '[]'
) STRICT;
CREATE INDEX IF NOT EXISTS unfinished_jobs ON jobs (created_ms) WHERE state <> 'finished';
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    event_id TEXT NOT NULL,
    is_declaration INTEGER NOT NULL, -- an error declaration repeats the eventID of what it takes back
    token TEXT NOT NULL,
    capture_id TEXT NOT NULL,
    content TEXT NOT NULL, -- JSON-LD
    digest BLOB NOT NULL, -- of what was sent, to know a repeat
    UNIQUE (source, event_id, is_declaration)
) STRICT;
CREATE INDEX IF NOT EXISTS events_by_id ON events (event_id);
CREATE TABLE IF NOT EXISTS links (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (kind, name, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS said (
    source TEXT NOT NULL,
    our_id TEXT NOT NULL,
    event_id TEXT NOT NULL, -- of the EPCIS event
    body BLOB NOT NULL, -- the event of ours without recorded_at
    recorded_ms INTEGER NOT NULL,
    is_retracted INTEGER NOT NULL,
    may TEXT NOT NULL,
    capture_id TEXT NOT NULL, -- the job that said it last
    is_sent INTEGER NOT NULL,
    PRIMARY KEY (source, our_id)
) STRICT;
CREATE INDEX IF NOT EXISTS said_of_event ON said (source, event_id);
CREATE INDEX IF NOT EXISTS said_by_job ON said (capture_id) WHERE is_sent = 0;
