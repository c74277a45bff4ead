-- SPDX-License-Identifier: MIT
-- Work that is handed back, and nodes that ask for none for a while.
ALTER TABLE cascade_node
    ADD COLUMN IF NOT EXISTS hold_until DATETIME(3) NULL COMMENT 'it asked for no work until then; NULL: it did not';

-- Who handed open work back, and is not given it again before that. What is over is purged.
CREATE TABLE IF NOT EXISTS cascade_hold (
    open_seq BIGINT NOT NULL COMMENT 'cascade_open.seq',
    node INT UNSIGNED NOT NULL COMMENT 'cascade_node.seq',
    held_until DATETIME(3) NOT NULL,
    PRIMARY KEY (open_seq, node),
    KEY held_until (held_until)
) ENGINE = InnoDB;

-- One more outcome of cascade_attempt.
INSERT IGNORE INTO cascade_gauge (name, label, value, counted_at) VALUES ('attempts_total', 'released', 0, NOW(3));
