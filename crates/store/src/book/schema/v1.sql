-- What `assay serve` remembers. A schema that was released is never edited: the next one gets a
-- file of its own, which changes this one.
--
-- Times are microseconds since 1970 in UTC.

CREATE TABLE tasks (
    n           INTEGER PRIMARY KEY, -- order of acceptance
    id          TEXT    NOT NULL UNIQUE,
    client      TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    model       TEXT    NOT NULL,
    app         INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    service     TEXT    NOT NULL,
    priority    INTEGER NOT NULL,
    deadline_at INTEGER NOT NULL,
    detach      INTEGER NOT NULL CHECK (detach IN (0, 1)),
    batch       TEXT,
    accepted_at INTEGER NOT NULL,
    traceparent TEXT,
    state       TEXT    NOT NULL DEFAULT 'queued' CHECK (
        state IN ('queued', 'running', 'finished', 'failed', 'cancelled', 'timed_out', 'lost')
    ),
    attempt     INTEGER NOT NULL DEFAULT 0, -- 0 until it is started first
    started_at  INTEGER,
    request     TEXT    NOT NULL -- last, since it may be long
) STRICT;

CREATE INDEX tasks_open ON tasks (n) WHERE state IN ('queued', 'running');
CREATE INDEX tasks_of_app ON tasks (model, app);
CREATE INDEX tasks_of_client ON tasks (client);
CREATE INDEX tasks_of_batch ON tasks (batch) WHERE batch IS NOT NULL;

-- That a task has one end and no second is kept here, by the primary key.
CREATE TABLE ends (
    task    INTEGER PRIMARY KEY REFERENCES tasks (n) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    status  TEXT    NOT NULL,
    code    TEXT,
    message TEXT
) STRICT;

CREATE INDEX ends_by_time ON ends (at);

-- A result is compressed (zlib) and lies here, or in `results/FILE` when it is big.
CREATE TABLE results (
    task  INTEGER PRIMARY KEY REFERENCES ends (task) ON DELETE CASCADE,
    bytes INTEGER NOT NULL, -- before it was compressed
    kept  INTEGER NOT NULL, -- and after
    file  TEXT,
    data  BLOB,
    CHECK ((file IS NULL) <> (data IS NULL))
) STRICT;

CREATE TABLE events (
    task INTEGER NOT NULL REFERENCES tasks (n) ON DELETE CASCADE,
    seq  INTEGER NOT NULL,
    json TEXT    NOT NULL,
    PRIMARY KEY (task, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE batches (
    n           INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    client      TEXT    NOT NULL,
    accepted_at INTEGER NOT NULL,
    ended_at    INTEGER,
    status      TEXT,
    request     TEXT    NOT NULL
) STRICT;

CREATE INDEX batches_open ON batches (n) WHERE ended_at IS NULL;
