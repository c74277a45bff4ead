-- SPDX-License-Identifier: MIT
-- What would be too dear to count whenever somebody looks at /metrics: cascaded counts it now and then.
CREATE TABLE IF NOT EXISTS cascade_gauge (
    name VARCHAR(64) CHARACTER SET ascii NOT NULL COMMENT 'of the metric, without cascade_',
    label VARCHAR(64) CHARACTER SET ascii NOT NULL DEFAULT '' COMMENT 'the value of its one label',
    value BIGINT NOT NULL COMMENT 'times are in milliseconds',
    counted_at DATETIME(3) NOT NULL COMMENT 'attempts_total: what ended up to here is in value',
    PRIMARY KEY (name, label)
) ENGINE = InnoDB;

-- Every outcome of cascade_attempt. What ended before is not counted: a counter begins anywhere.
INSERT IGNORE INTO cascade_gauge (name, label, value, counted_at)
VALUES ('attempts_total', 'completed', 0, NOW(3)),
       ('attempts_total', 'failed', 0, NOW(3)),
       ('attempts_total', 'unacknowledged', 0, NOW(3)),
       ('attempts_total', 'lapsed', 0, NOW(3)),
       ('attempts_total', 'max_run', 0, NOW(3)),
       ('attempts_total', 'node_lost', 0, NOW(3)),
       ('attempts_total', 'node_deleted', 0, NOW(3)),
       ('attempts_total', 'node_inactive', 0, NOW(3)),
       ('attempts_total', 'cancelled', 0, NOW(3));
