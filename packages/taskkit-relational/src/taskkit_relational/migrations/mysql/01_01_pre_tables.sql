-- The first layout, for MySQL 8.0 and MariaDB 10.6 and all later ones. Instants are microseconds
-- since the epoch, states and outcomes are the numbers of taskkit_relational/schema.py, which are
-- 0 waiting, 1 ready, 2 parked behind a lock, 3 running, 4 succeeded, 5 failed, 6 lost, 7 cancelled.
--
-- A change of tables is committed at once here, each by itself. So every statement may be run
-- again, by whoever goes on where another was interrupted.
--
-- Ids and names are VARBINARY, so that they are compared byte by byte, to the last blank, whatever
-- collation a server prefers. The longest character takes four bytes.
--
-- There is no unique index beside the primary keys, because the check of one locks the gaps
-- between its entries, and inserts would run into deadlocks. Unique keys have a table of their own.
--
-- There are no partial indexes. A column after AS stands in for one, as it is NULL (or does not
-- change) where the index does not care. Entries of others then cost nothing but their insertion.
CREATE TABLE IF NOT EXISTS {prefix}task (
    id           VARBINARY(532) NOT NULL,
    state        TINYINT NOT NULL,
    grp          VARBINARY(400) NOT NULL,
    name         VARBINARY(800) NOT NULL,
    priority     TINYINT NOT NULL,
    due          BIGINT NOT NULL,
    created      BIGINT NOT NULL,
    retention    BIGINT NOT NULL,            -- microseconds from done to purge_at
    token        BIGINT NOT NULL DEFAULT 0,
    attempt      INT NOT NULL DEFAULT 0,
    retry_count  INT NOT NULL DEFAULT 0,
    losses       INT NOT NULL DEFAULT 0,
    cancelling   TINYINT NOT NULL DEFAULT 0,
    settled      TINYINT,                    -- the outcome that ended the current token
    worker_id    VARBINARY(1020),            -- who runs it, or ran it last
    began        BIGINT,
    done         BIGINT,
    purge_at     BIGINT,                     -- set if and only if the task is finished
    expires      BIGINT,
    unique_key   VARBINARY(1020),
    unique_slot  VARBINARY(1020),            -- unique_key while the task holds it
    lock_key     VARBINARY(1020),
    lock_limit   INT NOT NULL DEFAULT 1,
    place_rank   TINYINT AS (IF(state IN (1, 2), -priority, 0)) STORED,
    place_at     BIGINT AS (IF(state > 3, purge_at, due)) STORED,
    -- When it is due that waits; of what did not end well its state and when, below 0: latest first.
    due_or_end   BIGINT AS (CASE WHEN state = 0 THEN due
        WHEN state > 4 THEN -(state * 72057594037927936 + done) END) STORED,
    open_expires BIGINT AS (IF(state < 3, expires, NULL)) STORED,
    runner       VARBINARY(1020) AS (IF(state = 3, worker_id, NULL)) STORED,
    lock_state   TINYINT AS (IF(lock_key IS NULL, NULL, state)) STORED,
    lock_rank    TINYINT AS (IF(lock_key IS NULL, NULL, -priority)) STORED,
    options      LONGTEXT,                   -- JSON of what differs from its default
    labels       LONGTEXT,                   -- JSON
    failure      LONGTEXT,                   -- JSON of type, message, traceback
    history      LONGTEXT,                   -- JSON of ended attempts
    progress     LONGBLOB,
    data         LONGBLOB NOT NULL,
    result       LONGBLOB,
    PRIMARY KEY (id),
    -- Where a task stands. The ready ones in claim order, so that a claim reads and locks as many
    -- entries as it gives. The finished ones by when they are to be purged. All can be counted.
    KEY by_place (state, grp, place_rank, place_at, due),
    -- Whether anything became due is one look, whatever waits in how many groups. Failed, lost and
    -- cancelled tasks stand before it, for people who look for them: an index of their own would
    -- cost every insert an entry, and this one costs only those that end so.
    KEY by_waiting (due_or_end, grp),
    KEY by_expiry (open_expires),
    KEY by_runner (runner),
    KEY by_lock (lock_key, grp, lock_state, lock_rank, due)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Who holds which unique key, as long as that task says so too (unique_slot). To take one locks its
-- own entry and nothing around it. To free one changes the task alone.
CREATE TABLE IF NOT EXISTS {prefix}slot (
    grp  VARBINARY(400) NOT NULL,
    slot VARBINARY(1020) NOT NULL,
    id   VARBINARY(532) NOT NULL,
    PRIMARY KEY (grp, slot)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {prefix}worker (
    id         VARBINARY(1020) NOT NULL,
    info       LONGTEXT NOT NULL,            -- JSON of groups, host, pid, version
    registered BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    mark       BIGINT NOT NULL,              -- the newest token at its last heartbeat
    stopped    LONGTEXT NOT NULL,            -- JSON of groups that it is to stop serving
    PRIMARY KEY (id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {prefix}schedule (
    name    VARBINARY(1020) NOT NULL,
    version BIGINT NOT NULL,
    state   LONGBLOB NOT NULL,
    PRIMARY KEY (name)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {prefix}pause (
    grp   VARBINARY(400) NOT NULL,
    until BIGINT,                            -- NULL until resumed
    PRIMARY KEY (grp)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {prefix}limits (
    grp            VARBINARY(400) NOT NULL,
    max_running    INT,
    rate_limit     INT,
    rate_period    DOUBLE,
    max_queue_size INT,
    PRIMARY KEY (grp)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- The claims of groups with a rate, an exact sliding window.
CREATE TABLE IF NOT EXISTS {prefix}rate (
    n      BIGINT NOT NULL AUTO_INCREMENT,
    grp    VARBINARY(400) NOT NULL,
    at     BIGINT NOT NULL,
    claims INT NOT NULL,
    PRIMARY KEY (n),
    KEY by_window (grp, at, claims)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Which subgroup of a want was served last.
CREATE TABLE IF NOT EXISTS {prefix}turn (
    want VARBINARY(400) NOT NULL,
    grp  VARBINARY(400) NOT NULL,
    PRIMARY KEY (want)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Discards of late, so that a repeated one is recognised although its task is gone.
CREATE TABLE IF NOT EXISTS {prefix}discard (
    id    VARBINARY(532) NOT NULL,
    token BIGINT NOT NULL,
    at    BIGINT NOT NULL,
    PRIMARY KEY (id, token),
    KEY by_time (at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Tokens of claims. Their count goes on whatever becomes of a transaction, and over restarts.
-- A row is needed no more once its number is known. Old ones are removed now and then.
CREATE TABLE IF NOT EXISTS {prefix}token (
    n BIGINT NOT NULL AUTO_INCREMENT,
    PRIMARY KEY (n)
) ENGINE = InnoDB;

-- Locked to decide alone, see taskkit_relational/gates.py.
CREATE TABLE IF NOT EXISTS {prefix}gate (
    n INT NOT NULL,
    PRIMARY KEY (n)
) ENGINE = InnoDB;
INSERT IGNORE INTO {prefix}gate (n) VALUES
    (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15),
    (16), (17), (18), (19), (20), (21), (22), (23), (24), (25), (26), (27), (28), (29), (30), (31),
    (32), (33), (34), (35), (36), (37), (38), (39), (40), (41), (42), (43), (44), (45), (46), (47),
    (48), (49), (50), (51), (52), (53), (54), (55), (56), (57), (58), (59), (60), (61), (62), (63),
    (64), (65), (66), (67), (68), (69), (70), (71), (72), (73), (74), (75), (76), (77), (78), (79),
    (80), (81), (82), (83), (84), (85), (86), (87), (88), (89), (90), (91), (92), (93), (94), (95),
    (96), (97), (98), (99), (100), (101), (102), (103), (104), (105), (106), (107), (108), (109), (110), (111),
    (112), (113), (114), (115), (116), (117), (118), (119), (120), (121), (122), (123), (124), (125), (126), (127),
    (128), (129), (130), (131), (132), (133), (134), (135), (136), (137), (138), (139), (140), (141), (142), (143),
    (144), (145), (146), (147), (148), (149), (150), (151), (152), (153), (154), (155), (156), (157), (158), (159),
    (160), (161), (162), (163), (164), (165), (166), (167), (168), (169), (170), (171), (172), (173), (174), (175),
    (176), (177), (178), (179), (180), (181), (182), (183), (184), (185), (186), (187), (188), (189), (190), (191);

-- One row. controls grows when a pause or a limit changes. store_id tells two stores apart.
CREATE TABLE IF NOT EXISTS {prefix}store (
    one      INT NOT NULL,
    controls BIGINT NOT NULL,
    store_id CHAR(36) NOT NULL,
    PRIMARY KEY (one)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
INSERT IGNORE INTO {prefix}store (one, controls, store_id) VALUES (1, 0, UUID());
