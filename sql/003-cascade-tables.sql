-- SPDX-License-Identifier: MIT
-- Our own tables. The hot ones are narrow, hold only what is open, and have numeric keys; what is
-- finished stands in we_cascade_task_allocations (what we show) and cascade_attempt (its history).
-- Text keys have WeRSS's character set and collation, or no index would serve a join with its tables.

-- State of a node that changes with its work. Row of every node of we_cascade_nodes with node_type 1,
-- made on creation or by cascaded for nodes that WeRSS inserted. Locked before any allocation.
CREATE TABLE IF NOT EXISTS cascade_node (
    seq INT UNSIGNED NOT NULL AUTO_INCREMENT,
    node_id VARCHAR(255) NOT NULL COMMENT 'we_cascade_nodes.id',
    active BOOL NOT NULL DEFAULT 1 COMMENT 'follows is_active; checked by every claim under the row lock',
    draining BOOL NOT NULL DEFAULT 0 COMMENT 'gets no new work',
    may_reserve BOOL NOT NULL DEFAULT 1 COMMENT '0: let a reservation lapse; gets none until it claims',
    online BOOL NOT NULL DEFAULT 0 COMMENT 'as cascaded last saw it; liveness itself is last_seen_at',
    open_count INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'assigned + claimed + executing',
    max_capacity INT UNSIGNED NOT NULL DEFAULT 10 COMMENT 'from sync_config',
    sync_config_hash CHAR(32) CHARACTER SET ascii NOT NULL DEFAULT ''
        COMMENT 'MD5 of the sync_config that max_capacity and cascade_quota were taken from',
    last_seen_at DATETIME(3) NULL COMMENT 'last sign of life: any authenticated request',
    last_heartbeat_at DATETIME(3) NULL,
    last_claim_at DATETIME(3) NULL,
    PRIMARY KEY (seq),
    UNIQUE KEY node_id (node_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

-- feed_quota of every node, from sync_config.
CREATE TABLE IF NOT EXISTS cascade_quota (
    feed_id VARCHAR(255) NOT NULL,
    node INT UNSIGNED NOT NULL COMMENT 'cascade_node.seq',
    quota INT UNSIGNED NOT NULL COMMENT 'open allocations of the feed that the node is preferred for',
    PRIMARY KEY (feed_id, node),
    KEY node (node)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

-- Our settings of a task; a row is made at its first dispatch or when one is set.
CREATE TABLE IF NOT EXISTS cascade_task (
    seq INT UNSIGNED NOT NULL AUTO_INCREMENT,
    task_id VARCHAR(255) NOT NULL COMMENT 'we_message_tasks.id',
    feeds_per_allocation SMALLINT UNSIGNED NOT NULL DEFAULT 1,
    max_attempts SMALLINT UNSIGNED NULL COMMENT 'NULL: retry.max_attempts',
    priority TINYINT NOT NULL DEFAULT 0 COMMENT '-10 to 10, higher first; a level is worth 10 minutes of waiting',
    timezone VARCHAR(64) NULL COMMENT 'IANA name; NULL: schedule.timezone',
    misfire ENUM('once', 'skip', 'all') NOT NULL DEFAULT 'once'
        COMMENT 'occurrences that were missed: the last one runs; none; each, up to a bound',
    overlap ENUM('skip', 'queue', 'replace') NOT NULL DEFAULT 'skip' COMMENT 'as of cascade_run',
    PRIMARY KEY (seq),
    UNIQUE KEY task_id (task_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

-- One dispatch of one task (a call that dispatches several has a row for each). Its allocations follow
-- in batches, each advancing the cursor in the transaction that creates them; cascaded finishes a run
-- whose dispatcher died. An occurrence that policy left out has a row too, which says so.
CREATE TABLE IF NOT EXISTS cascade_run (
    run_id VARCHAR(255) NOT NULL COMMENT 'schedule_run_id of its allocations; unique, so no occurrence runs twice',
    task INT UNSIGNED NOT NULL COMMENT 'cascade_task.seq',
    batch_cursor VARCHAR(255) NOT NULL DEFAULT '' COMMENT 'last feed id that was looked at, in its order',
    created INT UNSIGNED NOT NULL DEFAULT 0,
    skipped_open INT UNSIGNED NOT NULL DEFAULT 0,
    skipped_feeds INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'unknown or disabled',
    scheduled_for DATETIME NULL COMMENT 'the occurrence, where cascaded made the run; NULL: somebody asked for it',
    overlap ENUM('skip', 'queue', 'replace') NOT NULL DEFAULT 'skip'
        COMMENT 'feeds that have something open: left out; waited for; replaced where nobody has claimed them',
    note VARCHAR(255) NULL COMMENT 'why policy left the occurrence out',
    created_at DATETIME(3) NOT NULL,
    touched_at DATETIME(3) NOT NULL COMMENT 'last batch',
    finished_at DATETIME(3) NULL,
    PRIMARY KEY (run_id, task),
    KEY unfinished (finished_at, touched_at),
    KEY task (task, created_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

-- How far the schedule of a task has come. Another expression or zone starts anew.
CREATE TABLE IF NOT EXISTS cascade_schedule (
    task_id VARCHAR(255) NOT NULL COMMENT 'we_message_tasks.id',
    cron_exp VARCHAR(100) NOT NULL COMMENT 'what last_at belongs to',
    zone VARCHAR(64) NOT NULL,
    last_at DATETIME NOT NULL COMMENT 'occurrences up to here are dispatched or left out',
    next_at DATETIME NULL COMMENT 'NULL: it never comes, or the expression cannot be parsed',
    error VARCHAR(255) NULL COMMENT 'why the expression cannot be parsed: the task is not scheduled',
    PRIMARY KEY (task_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

-- Open allocations: the truth about what waits and what is held. A row goes when it ends.
CREATE TABLE IF NOT EXISTS cascade_open (
    seq BIGINT NOT NULL COMMENT 'time-ordered, made by us (core/ident.h)',
    id VARCHAR(255) NOT NULL COMMENT 'we_cascade_task_allocations.id',
    task INT UNSIGNED NOT NULL COMMENT 'cascade_task.seq',
    state TINYINT UNSIGNED NOT NULL DEFAULT 0 COMMENT '0 pending, 1 claimed, 2 executing',
    node INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'holder, or whom pending work is reserved for; 0 nobody',
    ver INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'grows with every transition: the guard of each',
    attempt SMALLINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'number of the current or last hand-out',
    failures SMALLINT UNSIGNED NOT NULL DEFAULT 0,
    losts SMALLINT UNSIGNED NOT NULL DEFAULT 0,
    ready_at DATETIME(3) NOT NULL COMMENT 'not before; preferences last from here',
    order_at DATETIME(3) NOT NULL COMMENT 'place in the queue: ready_at less the priority''s credit',
    assigned_at DATETIME(3) NULL,
    claimed_at DATETIME(3) NULL,
    started_at DATETIME(3) NULL,
    lease_until DATETIME(3) NULL,
    failed_nodes VARCHAR(255) CHARACTER SET ascii NOT NULL DEFAULT ''
        COMMENT 'nodes whose attempt failed: seq,seq,…',
    PRIMARY KEY (seq),
    UNIQUE KEY id (id),
    KEY queue (state, node, order_at, ready_at),
    KEY lease (lease_until)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

-- Its feeds; the key allows one open allocation per task and feed.
CREATE TABLE IF NOT EXISTS cascade_open_feed (
    task INT UNSIGNED NOT NULL,
    feed_id VARCHAR(255) NOT NULL,
    open_seq BIGINT NOT NULL,
    PRIMARY KEY (task, feed_id),
    KEY open_seq (open_seq),
    KEY feed (feed_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

-- Every hand-out that has ended; the current one stands in cascade_open.
CREATE TABLE IF NOT EXISTS cascade_attempt (
    allocation_id VARCHAR(255) NOT NULL,
    attempt SMALLINT UNSIGNED NOT NULL,
    node INT UNSIGNED NOT NULL COMMENT 'cascade_node.seq, also after that row is gone',
    node_id VARCHAR(255) NOT NULL,
    claimed_at DATETIME(3) NULL,
    started_at DATETIME(3) NULL,
    ended_at DATETIME(3) NOT NULL,
    outcome VARCHAR(20) CHARACTER SET ascii NOT NULL 
        COMMENT 'completed, failed, unacknowledged, lapsed, max_run, node_lost, node_deleted, node_inactive, cancelled',
    error_message MEDIUMTEXT NULL,
    PRIMARY KEY (allocation_id, attempt),
    KEY ended (ended_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

-- Which articles were stored for an allocation: article_count is the number of its rows here.
CREATE TABLE IF NOT EXISTS cascade_allocation_article (
    allocation_id VARCHAR(255) NOT NULL,
    article_id VARCHAR(255) NOT NULL,
    PRIMARY KEY (allocation_id, article_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

-- Signs of life of our own parts (cascaded, pool): a gap in them is an outage of ours, after which
-- nobody is declared offline for a while.
CREATE TABLE IF NOT EXISTS cascade_beat (
    name VARCHAR(64) CHARACTER SET ascii NOT NULL,
    beat_at DATETIME(3) NOT NULL,
    gap_ended_at DATETIME(3) NULL COMMENT 'end of the last gap that was too long',
    PRIMARY KEY (name)
) ENGINE = InnoDB;

-- Who leads among several cascaded.
CREATE TABLE IF NOT EXISTS cascade_leader (
    name VARCHAR(64) CHARACTER SET ascii NOT NULL,
    holder VARCHAR(190) CHARACTER SET ascii NOT NULL COMMENT 'host:pid:random',
    lease_until DATETIME(3) NOT NULL,
    PRIMARY KEY (name)
) ENGINE = InnoDB;

-- What was asked for under an Idempotency-Key, so that a repetition gets the same answer. Written in the
-- transaction that hands out the work (claims), or before the run that it names is made (dispatches).
-- Keys and requests are here as hashes only; no answer that holds a secret is ever kept.
CREATE TABLE IF NOT EXISTS cascade_idempotency (
    id CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'SHA-256 of principal, route and key',
    request CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'SHA-256 of query and body',
    ref VARCHAR(512) CHARACTER SET ascii NOT NULL
        COMMENT 'claims: [[row number, attempt], …] of what was handed out; dispatches: the run_id',
    answer MEDIUMTEXT CHARACTER SET utf8mb4 NULL COMMENT 'of a dispatch, once it is finished',
    expires_at DATETIME(3) NOT NULL,
    PRIMARY KEY (id),
    KEY expires (expires_at)
) ENGINE = InnoDB;

-- Failed logins, by account and by client address; a window begins with its first failure.
CREATE TABLE IF NOT EXISTS cascade_login (
    kind ENUM('user', 'address') NOT NULL,
    name VARCHAR(255) NOT NULL,
    failures INT UNSIGNED NOT NULL,
    since DATETIME(3) NOT NULL,
    PRIMARY KEY (kind, name),
    KEY since (since)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};
-- The allocation that last ended for a feed, or in which it goes again after a failure; what became of
-- it is read where it is shown. Cancelled ones do not count.
CREATE TABLE IF NOT EXISTS cascade_feed (
    feed_id VARCHAR(255) NOT NULL COMMENT 'we_feeds.id',
    allocation_id VARCHAR(255) NOT NULL COMMENT 'we_cascade_task_allocations.id',
    PRIMARY KEY (feed_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

-- What WeRSS did before us, as far as it is recent. Running this again changes nothing.
INSERT INTO cascade_feed (feed_id, allocation_id)
SELECT r.feed, r.id
  FROM (SELECT j.feed, a.id, ROW_NUMBER() OVER (PARTITION BY j.feed ORDER BY a.created_at DESC, a.id DESC) AS place
          FROM we_cascade_task_allocations a
          JOIN JSON_TABLE(IF(JSON_VALID(a.feed_ids), a.feed_ids, '[]'),
                          '$[*]' COLUMNS (feed VARCHAR(255) {{text}} PATH '$')) j
         WHERE a.created_at > NOW() - INTERVAL 30 DAY AND a.status IN ('completed', 'failed', 'timeout')
           AND j.feed IS NOT NULL) r
 WHERE r.place = 1
    ON DUPLICATE KEY UPDATE allocation_id = cascade_feed.allocation_id;

-- Switches that outlive every process. A row is made when one is set.
CREATE TABLE IF NOT EXISTS cascade_setting (
    name VARCHAR(64) CHARACTER SET ascii NOT NULL
        COMMENT 'scheduler_enabled: 0 or 1; scheduler_reloads: grows with each request to reload',
    value BIGINT NOT NULL,
    changed_at DATETIME(3) NOT NULL,
    PRIMARY KEY (name)
) ENGINE = InnoDB;
