-- The first layout. Instants are microseconds since the epoch; states and outcomes are the
-- numbers of taskkit_relational/schema.py: 0 waiting, 1 ready, 2 parked behind a lock, 3 running,
-- 4 succeeded, 5 failed, 6 lost, 7 cancelled.
--
-- Names and ids are compared byte by byte (COLLATE "C"): subgroups are found as a range of names,
-- and no upgrade of the system's locales can break an index. What is in no index has its type's
-- default collation.

-- Every claim and every settlement writes a new version of the row and entries in few small
-- partial indexes. What has a fixed width comes first, so that reaching it costs nothing.
CREATE TABLE {prefix}task (
    due         bigint NOT NULL,
    created     bigint NOT NULL,
    retention   bigint NOT NULL,             -- microseconds from done to purge_at
    token       bigint NOT NULL DEFAULT 0,
    attempt     integer NOT NULL DEFAULT 0,
    retry_count integer NOT NULL DEFAULT 0,
    losses      integer NOT NULL DEFAULT 0,
    lock_limit  integer NOT NULL DEFAULT 1,
    state       smallint NOT NULL,
    priority    smallint NOT NULL,
    cancelling  smallint NOT NULL DEFAULT 0,
    settled     smallint,                    -- the outcome that ended the current token
    id          text COLLATE "C" PRIMARY KEY,
    grp         text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    began       bigint,
    done        bigint,
    purge_at    bigint,                      -- set if and only if the task is finished
    expires     bigint,
    worker_id   text COLLATE "C",            -- who runs it, or ran it last
    unique_key  text COLLATE "C",
    unique_slot text COLLATE "C",            -- unique_key while the task holds it
    lock_key    text COLLATE "C",
    options     text,                        -- JSON: what differs from its default
    labels      text,                        -- JSON
    failure     text,                        -- JSON: type, message, traceback
    history     text,                        -- JSON: ended attempts
    progress    bytea,
    data        bytea NOT NULL,
    result      bytea
) WITH (
    -- Dead versions are what slows a queue down: they are swept away early and without pauses,
    -- but a table of millions of finished rows is not walked through for a handful of them.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0.1,
    autovacuum_analyze_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 0
);
CREATE UNIQUE INDEX {plain}task_unique ON {prefix}task (grp, unique_slot)
    WHERE unique_slot IS NOT NULL;
-- In claim order, so that a claim reads as many entries as it gives.
CREATE INDEX {plain}task_ready ON {prefix}task (grp, priority DESC, due, id) WHERE state = 1;
-- By due alone: whether anything became due is one look, whatever waits in how many groups.
CREATE INDEX {plain}task_waiting ON {prefix}task (due, grp) WHERE state = 0;
CREATE INDEX {plain}task_waiting_group ON {prefix}task (grp, due) WHERE state = 0;
CREATE INDEX {plain}task_running ON {prefix}task (worker_id, grp) WHERE state = 3;
CREATE INDEX {plain}task_lock ON {prefix}task (grp, lock_key, state, priority DESC, due, id)
    WHERE lock_key IS NOT NULL AND state < 4;
CREATE INDEX {plain}task_expires ON {prefix}task (expires)
    WHERE expires IS NOT NULL AND state < 3;
-- Serves counts and purges; claims never see it.
CREATE INDEX {plain}task_finished ON {prefix}task (grp, state, purge_at, due)
    WHERE purge_at IS NOT NULL;
-- What did not end well, by when: for people who look for it. A task that succeeds never enters it.
CREATE INDEX {plain}task_ended ON {prefix}task (state, done, id) WHERE state > 4;

-- Half of each page is left free: a heartbeat writes the new version of its row beside the old.
CREATE TABLE {prefix}worker (
    id         text COLLATE "C" PRIMARY KEY,
    info       text NOT NULL,                -- JSON: groups, host, pid, version
    registered bigint NOT NULL,
    expires    bigint NOT NULL,
    mark       bigint NOT NULL,              -- the newest token at its last heartbeat
    stopped    text NOT NULL DEFAULT '[]'    -- JSON: groups that it is to stop serving
) WITH (fillfactor = 50);

CREATE TABLE {prefix}schedule (
    name    text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    state   bytea NOT NULL
);

CREATE TABLE {prefix}pause (
    grp   text COLLATE "C" PRIMARY KEY,
    until bigint                             -- NULL: until resumed
);

CREATE TABLE {prefix}limits (
    grp            text COLLATE "C" PRIMARY KEY,
    max_running    integer,
    rate_limit     integer,
    rate_period    double precision,
    max_queue_size integer
);

-- The claims of groups with a rate: an exact sliding window.
CREATE TABLE {prefix}rate (
    grp    text COLLATE "C" NOT NULL,
    at     bigint NOT NULL,
    claims integer NOT NULL
);
CREATE INDEX {plain}rate_window ON {prefix}rate (grp, at);

-- Which subgroup of a want was served last.
CREATE TABLE {prefix}turn (
    want text COLLATE "C" PRIMARY KEY,
    grp  text COLLATE "C" NOT NULL
) WITH (fillfactor = 50);

-- Discards of late, so that a repeated one is recognised although its task is gone.
CREATE TABLE {prefix}discard (
    id    text COLLATE "C" NOT NULL,
    token bigint NOT NULL,
    at    bigint NOT NULL,
    PRIMARY KEY (id, token)
);
CREATE INDEX {plain}discard_at ON {prefix}discard (at);

-- Tokens of claims. Numbers of a rolled back transaction stay used.
CREATE SEQUENCE {prefix}token;

-- Locked to decide alone: see taskkit_relational/gates.py.
CREATE TABLE {prefix}gate (
    n integer PRIMARY KEY
);
INSERT INTO {prefix}gate (n) SELECT generate_series(0, 191);

-- Until when somebody in some process waits: c, for something to claim; d, for the end of a task.
-- While nobody does, nobody is notified.
CREATE TABLE {prefix}waiting (
    kind  text COLLATE "C" PRIMARY KEY,
    until bigint NOT NULL
) WITH (fillfactor = 50);
INSERT INTO {prefix}waiting (kind, until) VALUES ('c', 0), ('d', 0);

-- One row. controls: grows when a pause or a limit changes. store_id: tells two stores apart.
CREATE TABLE {prefix}store (
    one      integer PRIMARY KEY CHECK (one = 1),
    controls bigint NOT NULL,
    store_id uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO {prefix}store (one, controls) VALUES (1, 0);
