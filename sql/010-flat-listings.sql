-- SPDX-License-Identifier: MIT
-- GET /allocations reads a page, newest first, and counts what its filters match, from one index, however
-- they are combined: without these the server reads everything that one of the filters matches.
-- One index cannot hold a task's and a node's id and a status besides the row's own id (3,072 bytes), so
-- the two ids are one number in it.
ALTER TABLE we_cascade_task_allocations
    ADD COLUMN IF NOT EXISTS cascade_pair BIGINT UNSIGNED
        AS (CAST(CONV(LEFT(MD5(CONCAT(task_id, '/', node_id)), 16), 16, 10) AS UNSIGNED)) STORED
        COMMENT 'task and node; for listings',
    ADD INDEX IF NOT EXISTS ix_cascade_task (task_id, created_at, id),
    ADD INDEX IF NOT EXISTS ix_cascade_node (node_id, created_at, id),
    ADD INDEX IF NOT EXISTS ix_cascade_status (status, created_at, id),
    ADD INDEX IF NOT EXISTS ix_cascade_task_status (task_id, status, created_at, id),
    ADD INDEX IF NOT EXISTS ix_cascade_node_status (node_id, status, created_at, id),
    ADD INDEX IF NOT EXISTS ix_cascade_pair (cascade_pair, created_at, id),
    ADD INDEX IF NOT EXISTS ix_cascade_pair_status (cascade_pair, status, created_at, id);

-- What fell due and what became of it, newest first.
ALTER TABLE cascade_run
    ADD INDEX IF NOT EXISTS scheduled (scheduled_for, run_id),
    ADD INDEX IF NOT EXISTS task_scheduled (task, scheduled_for, run_id);

-- What ended today, where it is too much to count on request.
INSERT IGNORE INTO cascade_gauge (name, label, value, counted_at)
VALUES ('ended_today', 'completed', 0, NOW(3)), ('ended_today', 'failed', 0, NOW(3));
