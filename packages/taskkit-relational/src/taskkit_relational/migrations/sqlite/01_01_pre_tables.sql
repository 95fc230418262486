-- The first layout. Instants are microseconds since the epoch; states and outcomes are the
-- numbers of taskkit_sql/schema.py: 0 waiting, 1 ready, 2 parked behind a lock, 3 running,
-- 4 succeeded, 5 failed, 6 lost, 7 cancelled.

-- What every claim touches comes first and what may be large comes last, because SQLite reads a
-- row from its beginning and only as far as it must.
CREATE TABLE {prefix}task (
    seq         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL,
    state       INTEGER NOT NULL,
    grp         TEXT NOT NULL,
    name        TEXT NOT NULL,
    priority    INTEGER NOT NULL,
    due         INTEGER NOT NULL,
    created     INTEGER NOT NULL,
    retention   INTEGER NOT NULL,            -- microseconds from done to purge_at
    token       INTEGER NOT NULL DEFAULT 0,
    attempt     INTEGER NOT NULL DEFAULT 0,
    retry_count INTEGER NOT NULL DEFAULT 0,
    losses      INTEGER NOT NULL DEFAULT 0,
    cancelling  INTEGER NOT NULL DEFAULT 0,
    settled     INTEGER,                     -- the outcome that ended the current token
    worker_id   TEXT,                        -- who runs it, or ran it last
    began       INTEGER,
    done        INTEGER,
    purge_at    INTEGER,                     -- set if and only if the task is finished
    expires     INTEGER,
    unique_key  TEXT,
    unique_slot TEXT,                        -- unique_key while the task holds it
    lock_key    TEXT,
    lock_limit  INTEGER NOT NULL DEFAULT 1,
    options     TEXT,                        -- JSON: what differs from its default
    labels      TEXT,                        -- JSON
    failure     TEXT,                        -- JSON: type, message, traceback
    history     TEXT,                        -- JSON: ended attempts
    progress    BLOB,
    data        BLOB NOT NULL,
    result      BLOB
);
CREATE UNIQUE INDEX {prefix}task_id ON {prefix}task (id);
CREATE UNIQUE INDEX {prefix}task_unique ON {prefix}task (grp, unique_slot)
    WHERE unique_slot IS NOT NULL;
-- In claim order, so that a claim reads as many entries as it gives.
CREATE INDEX {prefix}task_ready ON {prefix}task (grp, priority DESC, due, id) WHERE state = 1;
-- By due alone: whether anything became due is one look, whatever waits in how many groups.
CREATE INDEX {prefix}task_waiting ON {prefix}task (due, grp) WHERE state = 0;
CREATE INDEX {prefix}task_waiting_group ON {prefix}task (grp, due) WHERE state = 0;
CREATE INDEX {prefix}task_running ON {prefix}task (worker_id, grp) WHERE state = 3;
CREATE INDEX {prefix}task_lock ON {prefix}task (grp, lock_key, state, priority DESC, due, id)
    WHERE lock_key IS NOT NULL;
CREATE INDEX {prefix}task_expires ON {prefix}task (expires)
    WHERE expires IS NOT NULL AND state < 3;
-- Serves counts and purges; claims never see it.
CREATE INDEX {prefix}task_finished ON {prefix}task (grp, state, purge_at, due)
    WHERE purge_at IS NOT NULL;
-- What did not end well, by when: for people who look for it. A task that succeeds never enters it.
CREATE INDEX {prefix}task_ended ON {prefix}task (state, done, id) WHERE state > 4;

CREATE TABLE {prefix}worker (
    id         TEXT PRIMARY KEY,
    info       TEXT NOT NULL,                -- JSON: groups, host, pid, version
    registered INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    mark       INTEGER NOT NULL,             -- the newest token at its last heartbeat
    stopped    TEXT NOT NULL DEFAULT '[]'    -- JSON: groups that it is to stop serving
) WITHOUT ROWID;

CREATE TABLE {prefix}schedule (
    name    TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    state   BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE {prefix}pause (
    grp   TEXT PRIMARY KEY,
    until INTEGER                            -- NULL: until resumed
) WITHOUT ROWID;

CREATE TABLE {prefix}limits (
    grp            TEXT PRIMARY KEY,
    max_running    INTEGER,
    rate_limit     INTEGER,
    rate_period    REAL,
    max_queue_size INTEGER
) WITHOUT ROWID;

-- The claims of groups with a rate: an exact sliding window.
CREATE TABLE {prefix}rate (
    grp    TEXT NOT NULL,
    at     INTEGER NOT NULL,
    claims INTEGER NOT NULL
);
CREATE INDEX {prefix}rate_window ON {prefix}rate (grp, at);

-- Which subgroup of a want was served last.
CREATE TABLE {prefix}turn (
    want TEXT PRIMARY KEY,
    grp  TEXT NOT NULL
) WITHOUT ROWID;

-- Discards of late, so that a repeated one is recognised although its task is gone.
CREATE TABLE {prefix}discard (
    id    TEXT NOT NULL,
    token INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    PRIMARY KEY (id, token)
) WITHOUT ROWID;
CREATE INDEX {prefix}discard_at ON {prefix}discard (at);

-- One row. claims: the newest token. wakes: grows when something may have become claimable.
-- controls: grows when a pause or a limit changes.
CREATE TABLE {prefix}store (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    claims   INTEGER NOT NULL,
    wakes    INTEGER NOT NULL,
    controls INTEGER NOT NULL
);
INSERT INTO {prefix}store (one, claims, wakes, controls) VALUES (1, 0, 0, 0);
