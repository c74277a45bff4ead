-- SPDX-License-Identifier: MIT
-- The tables shared with WeRSS, as WeRSS lays them out on MySQL. On a WeRSS database nothing here
-- does anything; on an empty one it makes what a stand-alone installation needs.
-- All times are UTC.

CREATE TABLE IF NOT EXISTS we_cascade_nodes (
    id VARCHAR(255) NOT NULL,
    node_type INT NOT NULL COMMENT '0 parent, 1 child',
    name VARCHAR(255) NOT NULL,
    description MEDIUMTEXT NULL,
    api_url VARCHAR(500) NULL,
    callback_url VARCHAR(500) NULL COMMENT 'where the node wants its wake-up calls',
    api_key VARCHAR(100) NULL COMMENT 'CN and 32 characters',
    api_secret_hash VARCHAR(64) NULL COMMENT 'lowercase hex SHA-256 of the secret',
    parent_id VARCHAR(255) NULL,
    status INT NULL DEFAULT 0 COMMENT '0 offline, 1 online, 2 disabled; output only',
    sync_config MEDIUMTEXT NULL COMMENT 'JSON: max_capacity, feed_quota',
    last_sync_at DATETIME NULL,
    last_heartbeat_at DATETIME NULL,
    is_active BOOL NULL DEFAULT 1,
    created_at DATETIME NULL,
    updated_at DATETIME NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

CREATE TABLE IF NOT EXISTS we_cascade_sync_logs (
    id VARCHAR(255) NOT NULL,
    node_id VARCHAR(255) NOT NULL,
    operation VARCHAR(50) NOT NULL,
    direction VARCHAR(20) NOT NULL COMMENT 'pull or push',
    status INT NULL DEFAULT 0 COMMENT '0 running, 1 ok, 2 failed',
    data_count INT NULL DEFAULT 0,
    error_message MEDIUMTEXT NULL,
    extra_data MEDIUMTEXT NULL COMMENT 'JSON',
    started_at DATETIME NULL,
    completed_at DATETIME NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

CREATE TABLE IF NOT EXISTS we_cascade_task_allocations (
    id VARCHAR(255) NOT NULL,
    task_id VARCHAR(255) NOT NULL,
    task_name VARCHAR(255) NULL,
    cron_exp VARCHAR(100) NULL,
    node_id VARCHAR(255) NULL COMMENT 'the holder, or the node that pending work is reserved for',
    feed_ids MEDIUMTEXT NULL COMMENT 'JSON array',
    status VARCHAR(20) NULL DEFAULT 'pending'
        COMMENT 'pending, claimed, executing, completed, failed, timeout, cancelled',
    result_summary MEDIUMTEXT NULL,
    error_message MEDIUMTEXT NULL,
    dispatched_at DATETIME NULL,
    claimed_at DATETIME NULL,
    started_at DATETIME NULL,
    completed_at DATETIME NULL,
    schedule_run_id VARCHAR(255) NULL,
    article_count INT NULL DEFAULT 0,
    new_article_count INT NULL DEFAULT 0,
    created_at DATETIME NULL,
    updated_at DATETIME NULL,
    PRIMARY KEY (id),
    KEY ix_we_cascade_task_allocations_task_id (task_id),
    KEY ix_we_cascade_task_allocations_node_id (node_id),
    KEY ix_we_cascade_task_allocations_status (status),
    KEY ix_we_cascade_task_allocations_schedule_run_id (schedule_run_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

CREATE TABLE IF NOT EXISTS we_message_tasks (
    id VARCHAR(255) NOT NULL,
    message_type INT NOT NULL DEFAULT 0,
    name VARCHAR(100) NOT NULL,
    message_template MEDIUMTEXT NULL,
    web_hook_url VARCHAR(500) NULL,
    headers MEDIUMTEXT NULL,
    cookies MEDIUMTEXT NULL,
    mps_id MEDIUMTEXT NULL COMMENT 'JSON array of {"id", "mp_name"}; empty means every feed with status 1',
    cron_exp VARCHAR(100) NULL,
    status INT NULL DEFAULT 1 COMMENT '1 enabled',
    created_at DATETIME NULL,
    updated_at DATETIME NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

CREATE TABLE IF NOT EXISTS we_feeds (
    id VARCHAR(255) NOT NULL,
    mp_name VARCHAR(255) NULL,
    mp_cover VARCHAR(255) NULL,
    mp_intro VARCHAR(255) NULL,
    status INT NULL DEFAULT 1,
    sync_time INT NULL DEFAULT 0 COMMENT 'unix seconds',
    update_time INT NULL DEFAULT 0 COMMENT 'unix seconds',
    created_at DATETIME NULL,
    updated_at DATETIME NULL,
    faker_id VARCHAR(255) NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

CREATE TABLE IF NOT EXISTS we_articles (
    id VARCHAR(255) NOT NULL COMMENT 'account number, hyphen, the account''s article id',
    mp_id VARCHAR(255) NULL,
    title VARCHAR(1000) NULL,
    pic_url VARCHAR(2048) NULL,
    url VARCHAR(2048) NULL,
    description MEDIUMTEXT NULL,
    extinfo MEDIUMTEXT NULL,
    status INT NULL DEFAULT 1,
    publish_time INT NULL COMMENT 'unix seconds',
    created_at DATETIME NULL,
    updated_at DATETIME NULL,
    updated_at_millis BIGINT NULL,
    is_export INT NULL DEFAULT 0,
    is_read INT NULL DEFAULT 0,
    content MEDIUMTEXT NULL,
    content_html MEDIUMTEXT NULL,
    content_markdown MEDIUMTEXT NULL,
    PRIMARY KEY (id),
    KEY ix_we_articles_publish_time (publish_time),
    KEY ix_we_articles_updated_at_millis (updated_at_millis)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

CREATE TABLE IF NOT EXISTS we_users (
    id VARCHAR(255) NOT NULL,
    username VARCHAR(50) NOT NULL,
    password_hash VARCHAR(255) NOT NULL COMMENT 'bcrypt',
    is_active BOOL NULL DEFAULT 1,
    role VARCHAR(20) NULL,
    permissions MEDIUMTEXT NULL,
    nickname VARCHAR(50) NULL,
    avatar VARCHAR(255) NULL,
    email VARCHAR(50) NULL,
    created_at DATETIME NULL,
    updated_at DATETIME NULL,
    PRIMARY KEY (id),
    UNIQUE KEY username (username)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

CREATE TABLE IF NOT EXISTS we_access_keys (
    id VARCHAR(255) NOT NULL,
    user_id VARCHAR(255) NOT NULL,
    `key` VARCHAR(64) NOT NULL COMMENT 'WK and 32 characters',
    secret VARCHAR(64) NOT NULL COMMENT 'lowercase hex SHA-256 of the secret',
    name VARCHAR(255) NULL,
    description MEDIUMTEXT NULL,
    permissions MEDIUMTEXT NULL,
    is_active BOOL NULL DEFAULT 1,
    last_used_at DATETIME NULL,
    created_at DATETIME NULL,
    updated_at DATETIME NULL,
    expires_at DATETIME NULL,
    PRIMARY KEY (id),
    UNIQUE KEY `key` (`key`)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};
