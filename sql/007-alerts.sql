-- SPDX-License-Identifier: MIT
-- What alerts need to remember, so that whoever leads next neither loses nor repeats one.

-- How it stands with what an alert is about. A row goes when there is nothing left to remember.
CREATE TABLE IF NOT EXISTS cascade_alert (
    event VARCHAR(20) CHARACTER SET ascii NOT NULL COMMENT 'node_offline, dead_letter, no_success',
    subject VARCHAR(255) NOT NULL COMMENT 'id of the node or task',
    name VARCHAR(255) NULL COMMENT 'its name, for people',
    count INT UNSIGNED NOT NULL DEFAULT 0
        COMMENT 'what has happened: since window_at, or (no_success) one after the other',
    fresh INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'the part of it that no alert has told',
    mark VARCHAR(255) NULL
        COMMENT 'what was counted last: a dispatch (no_success), a last sign of life (node_offline)',
    detail VARCHAR(255) NULL COMMENT 'why, the last time',
    since DATETIME(3) NOT NULL COMMENT 'first time of those counted',
    window_at DATETIME(3) NOT NULL,
    touched_at DATETIME(3) NOT NULL,
    raised_at DATETIME(3) NULL COMMENT 'the last alert: silence lasts from here',
    is_open BOOL NOT NULL DEFAULT 0 COMMENT 'an alert is out whose end will be told',
    PRIMARY KEY (event, subject),
    KEY touched (touched_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

-- Alerts on their way, a row for each receiver. Written with what they are about, gone when delivered
-- or given up; whoever sends one claims it first.
CREATE TABLE IF NOT EXISTS cascade_alert_out (
    id CHAR(36) CHARACTER SET ascii NOT NULL COMMENT 'UUIDv7: in order of time',
    target VARCHAR(64) NOT NULL COMMENT 'name of the receiver (alerts.name)',
    event VARCHAR(20) CHARACTER SET ascii NOT NULL,
    recovered BOOL NOT NULL,
    subject VARCHAR(255) NOT NULL,
    text VARCHAR(2000) CHARACTER SET utf8mb4 NOT NULL,
    happened_at DATETIME NOT NULL,
    created_at DATETIME(3) NOT NULL,
    due_at DATETIME(3) NOT NULL COMMENT 'not before; back-off',
    tries INT UNSIGNED NOT NULL DEFAULT 0,
    holder VARCHAR(190) CHARACTER SET ascii NULL COMMENT 'who sends it, until held_until',
    held_until DATETIME(3) NULL,
    PRIMARY KEY (id),
    KEY due (target, due_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET {{charset}} COLLATE {{collation}};

INSERT IGNORE INTO cascade_gauge (name, label, value, counted_at)
VALUES ('wake_ups_total', 'taken', 0, NOW(3)),
       ('wake_ups_total', 'rejected', 0, NOW(3)),
       ('wake_ups_total', 'timeout', 0, NOW(3)),
       ('wake_ups_total', 'failed', 0, NOW(3)),
       ('wake_ups_total', 'refused', 0, NOW(3)),
       ('alerts_total', 'node_offline', 0, NOW(3)),
       ('alerts_total', 'dead_letter', 0, NOW(3)),
       ('alerts_total', 'no_success', 0, NOW(3)),
       ('alerts_total', 'database', 0, NOW(3)),
       ('alert_messages_total', 'delivered', 0, NOW(3)),
       ('alert_messages_total', 'failed', 0, NOW(3)),
       ('alert_messages_total', 'dropped', 0, NOW(3));
