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

DELIMITER $$

-- The next batch of a run: up to p_limit of its task's feeds after the cursor, in the order of their
-- ids, those with something open left out. p_base is the first of p_limit free row numbers.
--   p_all  1: every enabled feed; 0: those of the task's mps_id (which must be a JSON array)
-- In the queue each allocation stands 10 ms behind the one before it, up to 59 s in all: a task with
-- few feeds that falls due together with one of many does not come after all of it.
-- Returns one row: allocations created, feeds skipped because something is open, finished (1 or 0).
CREATE OR REPLACE PROCEDURE cascade_dispatch(
    IN p_run_id VARCHAR(255) {{text}}, IN p_task INT UNSIGNED, IN p_all BOOL, IN p_base BIGINT, IN p_limit INT)
    MODIFIES SQL DATA
    SQL SECURITY INVOKER
BEGIN
    DECLARE v_task_id, v_cursor, v_last VARCHAR(255) {{text}};
    DECLARE v_name VARCHAR(255) {{text}};
    DECLARE v_cron VARCHAR(100) {{text}};
    DECLARE v_mps MEDIUMTEXT {{text}};
    DECLARE v_per, v_looked, v_feeds, v_created, v_before INT DEFAULT 0;
    DECLARE v_priority INT;
    DECLARE v_finished DATETIME(3);
    DECLARE v_ms VARCHAR(12) {{text}};
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    START TRANSACTION;
    SELECT batch_cursor, finished_at, created INTO v_cursor, v_finished, v_before
      FROM cascade_run WHERE run_id = p_run_id AND task = p_task FOR UPDATE;
    SELECT t.task_id, t.feeds_per_allocation, t.priority, m.name, m.cron_exp, m.mps_id
      INTO v_task_id, v_per, v_priority, v_name, v_cron, v_mps
      FROM cascade_task t LEFT JOIN we_message_tasks m ON m.id = t.task_id WHERE t.seq = p_task;

    IF v_finished IS NULL AND p_all THEN
        SELECT COUNT(*), MAX(b.id) INTO v_looked, v_last
          FROM (SELECT id FROM we_feeds WHERE status = 1 AND id > v_cursor ORDER BY id LIMIT p_limit) b;
        INSERT INTO cascade_open_feed (task, feed_id, open_seq)
        SELECT p_task, w.id, p_base + (ROW_NUMBER() OVER (ORDER BY w.id) - 1) DIV v_per
          FROM we_feeds w
          LEFT JOIN cascade_open_feed x ON x.task = p_task AND x.feed_id = w.id
         WHERE w.status = 1 AND w.id > v_cursor AND w.id <= v_last AND x.feed_id IS NULL;
        SET v_feeds = ROW_COUNT();
    ELSEIF v_finished IS NULL THEN
        SELECT COUNT(*), MAX(b.id) INTO v_looked, v_last
          FROM (SELECT DISTINCT w.id
                  FROM JSON_TABLE(v_mps, '$[*]' COLUMNS (id VARCHAR(255) {{text}} PATH '$.id')) j
                  JOIN we_feeds w ON w.id = j.id
                 WHERE w.status = 1 AND w.id > v_cursor ORDER BY w.id LIMIT p_limit) b;
        INSERT INTO cascade_open_feed (task, feed_id, open_seq)
        SELECT p_task, b.id, p_base + (ROW_NUMBER() OVER (ORDER BY b.id) - 1) DIV v_per
          FROM (SELECT DISTINCT w.id
                  FROM JSON_TABLE(v_mps, '$[*]' COLUMNS (id VARCHAR(255) {{text}} PATH '$.id')) j
                  JOIN we_feeds w ON w.id = j.id
                 WHERE w.status = 1 AND w.id > v_cursor AND w.id <= v_last) b
          LEFT JOIN cascade_open_feed x ON x.task = p_task AND x.feed_id = b.id
         WHERE x.feed_id IS NULL;
        SET v_feeds = ROW_COUNT();
    END IF;

    IF v_feeds > 0 THEN
        SET v_ms = LPAD(HEX(CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS UNSIGNED)), 12, '0');
        -- ids are UUIDv7: the time in milliseconds, then random bits
        INSERT INTO cascade_open (seq, id, task, ready_at, order_at)
        SELECT r.open_seq,
               LOWER(CONCAT(LEFT(v_ms, 8), '-', RIGHT(v_ms, 4), '-7', SUBSTR(r.random, 1, 3), '-',
                            ELT(1 + CONV(SUBSTR(r.random, 4, 1), 16, 10) MOD 4, '8', '9', 'a', 'b'),
                            SUBSTR(r.random, 5, 3), '-', SUBSTR(r.random, 8, 12))),
               p_task, NOW(3), NOW(3) - INTERVAL v_priority * 10 MINUTE
                   + INTERVAL LEAST((v_before + r.open_seq - p_base) * 10000, 59000000) MICROSECOND
          FROM (SELECT open_seq, MD5(CONCAT(UUID(), RAND(), open_seq)) AS random
                  FROM cascade_open_feed
                 WHERE open_seq >= p_base AND open_seq < p_base + p_limit GROUP BY open_seq) r;
        SET v_created = ROW_COUNT();
        INSERT INTO we_cascade_task_allocations
            (id, task_id, task_name, cron_exp, node_id, feed_ids, status, dispatched_at, schedule_run_id,
             article_count, new_article_count, created_at, updated_at, cascade_owned)
        SELECT o.id, v_task_id, v_name, v_cron, NULL, JSON_ARRAYAGG(f.feed_id ORDER BY f.feed_id), 'pending',
               NOW(), p_run_id, 0, 0, NOW(), NOW(), 1
          FROM cascade_open o JOIN cascade_open_feed f ON f.open_seq = o.seq
         WHERE o.seq >= p_base AND o.seq < p_base + p_limit
         GROUP BY o.seq;
    END IF;
    IF v_finished IS NULL THEN
        UPDATE cascade_run
           SET batch_cursor = COALESCE(v_last, batch_cursor), created = created + v_created,
               skipped_open = skipped_open + v_looked - v_feeds, touched_at = NOW(3),
               finished_at = IF(v_looked < p_limit, NOW(3), NULL)
         WHERE run_id = p_run_id AND task = p_task;
    END IF;
    COMMIT;
    SELECT v_created, v_looked - v_feeds, v_finished IS NOT NULL OR v_looked < p_limit;
END $$

DELIMITER ;
