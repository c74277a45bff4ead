-- SPDX-License-Identifier: MIT
-- The transitions that write several tables, each one transaction in one round trip. They carry out
-- what src/core/alloc.c decided; the decision is guarded by the version it was taken on, so nothing
-- is ever done on a stale read: moved = 0 tells the caller to read and decide anew.
-- Lock order: node, then allocation.
-- {{text}} makes parameters, variables and columns of JSON_TABLE of the type of our keys: by themselves
-- they have the database's default collation, and a comparison with a key of another is an error.

DELIMITER $$

-- Hands p_seq to node p_node if it is ready and the node's own or nobody's, and the node has room for it.
-- The sync log's row p_log_id says what of it there is to hand out: nothing where its task, or every
-- feed of it, was deleted. Part of the caller's transaction where there is one, else one of its own.
-- Returns one row: taken (1 or 0).
CREATE OR REPLACE PROCEDURE cascade_claim(
    IN p_lease_s INT, IN p_node INT UNSIGNED, IN p_seq BIGINT, IN p_log_id VARCHAR(255) {{text}})
    MODIFIES SQL DATA
    SQL SECURITY INVOKER
BEGIN
    DECLARE v_taken BOOL DEFAULT 0;
    DECLARE v_alone BOOL DEFAULT NOT @@in_transaction;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        IF v_alone THEN
            ROLLBACK;
        END IF;
        RESIGNAL;
    END;

    IF v_alone THEN
        START TRANSACTION;
    END IF;
    UPDATE cascade_node n STRAIGHT_JOIN cascade_open o
      LEFT JOIN we_cascade_task_allocations a ON a.id = o.id
       SET n.open_count = n.open_count + IF(o.node = 0, 1, 0), n.last_seen_at = NOW(3),
           n.last_claim_at = NOW(3), n.may_reserve = 1,
           o.state = 1, o.node = n.seq, o.ver = o.ver + 1, o.attempt = o.attempt + 1,
           o.claimed_at = NOW(3), o.started_at = NULL, o.lease_until = NOW(3) + INTERVAL p_lease_s SECOND,
           a.status = 'claimed', a.node_id = n.node_id, a.claimed_at = NOW(), a.started_at = NULL,
           a.updated_at = NOW()
     WHERE n.seq = p_node AND n.active AND NOT n.draining AND o.seq = p_seq AND o.state = 0
       AND o.ready_at <= NOW(3)
       AND (o.node = n.seq OR (o.node = 0 AND n.open_count < n.max_capacity));
    SET v_taken = ROW_COUNT() > 0;
    IF v_taken THEN
        INSERT INTO we_cascade_sync_logs
            (id, node_id, operation, direction, status, data_count, extra_data, started_at, completed_at)
        SELECT p_log_id, n.node_id, 'claim_task', 'pull', 1, COUNT(*),
               JSON_OBJECT('allocation_id', o.id, 'task_id', t.task_id, 'attempt', o.attempt), NOW(), NOW()
          FROM cascade_open o
          JOIN cascade_node n ON n.seq = o.node
          JOIN cascade_task t ON t.seq = o.task
          JOIN we_message_tasks m ON m.id = t.task_id
          JOIN cascade_open_feed f ON f.open_seq = o.seq
          JOIN we_feeds w ON w.id = f.feed_id
         WHERE o.seq = p_seq GROUP BY o.seq;
    END IF;
    IF v_alone THEN
        COMMIT;
    END IF;
    SELECT v_taken AS taken;
END $$

-- Ends an open allocation's attempt or its life.
--   p_status   pending: back into the pool after p_delay_ms; else terminal
--   p_outcome  of the attempt that this ends; NULL: none ends
--   p_late     attempt of a former holder whose report this is; 0: the holder's own, or nobody's
--   p_failures, p_losts  the counts from now on
--   p_result   result_summary to keep; NULL: none
--   p_retry_*  feeds (JSON array) that go out again as a new allocation: their id and row number,
--              its status (pending or failed), delay and error; p_retry_feeds NULL: none
--   p_log_*    sync log row to write; p_log_id NULL: none
-- Returns one row: moved (1 or 0).
CREATE OR REPLACE PROCEDURE cascade_end(
    IN p_seq BIGINT, IN p_ver INT UNSIGNED,
    IN p_status VARCHAR(20) {{text}}, IN p_outcome VARCHAR(20) {{text}}, IN p_late INT,
    IN p_failures INT, IN p_losts INT, IN p_delay_ms BIGINT,
    IN p_error MEDIUMTEXT {{text}}, IN p_result MEDIUMTEXT {{text}},
    IN p_retry_id VARCHAR(255) {{text}}, IN p_retry_seq BIGINT, IN p_retry_feeds MEDIUMTEXT {{text}},
    IN p_retry_status VARCHAR(20) {{text}}, IN p_retry_delay_ms BIGINT, IN p_retry_error MEDIUMTEXT {{text}},
    IN p_log_id VARCHAR(255) {{text}}, IN p_log_node VARCHAR(255) {{text}}, IN p_log_operation VARCHAR(50) {{text}},
    IN p_log_count INT, IN p_log_extra MEDIUMTEXT {{text}})
    MODIFIES SQL DATA
    SQL SECURITY INVOKER
BEGIN
    DECLARE v_found BOOL DEFAULT 1;
    DECLARE v_id, v_node_id VARCHAR(255) {{text}};
    DECLARE v_task, v_node INT UNSIGNED DEFAULT 0;
    DECLARE v_attempt, v_failures INT;
    DECLARE v_credit_us BIGINT;
    DECLARE v_claimed_at, v_started_at DATETIME(3);
    DECLARE CONTINUE HANDLER FOR NOT FOUND SET v_found = 0;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    START TRANSACTION;
    SELECT o.id, o.task, o.node, o.attempt, o.failures, o.claimed_at, o.started_at,
           TIMESTAMPDIFF(MICROSECOND, o.ready_at, o.order_at), n.node_id
      INTO v_id, v_task, v_node, v_attempt, v_failures, v_claimed_at, v_started_at, v_credit_us, v_node_id
      FROM cascade_open o LEFT JOIN cascade_node n ON n.seq = o.node
     WHERE o.seq = p_seq AND o.ver = p_ver;
    IF v_found AND v_node <> 0 THEN
        UPDATE cascade_node
           SET open_count = open_count - 1,
               last_seen_at = IF(p_late = 0 AND p_outcome IN ('completed', 'failed'), NOW(3), last_seen_at)
         WHERE seq = v_node AND open_count > 0;
    END IF;
    IF v_found AND p_status = 'pending' THEN
        UPDATE cascade_open
           SET state = 0, node = 0, ver = ver + 1, failures = p_failures, losts = p_losts,
               ready_at = NOW(3) + INTERVAL p_delay_ms * 1000 MICROSECOND,
               order_at = NOW(3) + INTERVAL (p_delay_ms * 1000 + v_credit_us) MICROSECOND,
               assigned_at = NULL, claimed_at = NULL, started_at = NULL, lease_until = NULL,
               failed_nodes = IF(p_failures > v_failures AND v_node <> 0 AND LENGTH(failed_nodes) < 240,
                                 CONCAT_WS(',', NULLIF(failed_nodes, ''), v_node), failed_nodes)
         WHERE seq = p_seq AND ver = p_ver;
        SET v_found = ROW_COUNT();
    ELSEIF v_found THEN
        DELETE FROM cascade_open WHERE seq = p_seq AND ver = p_ver;
        SET v_found = ROW_COUNT();
    END IF;

    IF NOT v_found THEN
        ROLLBACK;
        SELECT 0 AS moved;
    ELSE
        IF p_late > 0 THEN
            UPDATE cascade_attempt
               SET outcome = p_outcome, ended_at = NOW(3), error_message = p_error
             WHERE allocation_id = v_id AND attempt = p_late;
            SELECT node_id, claimed_at, started_at INTO v_node_id, v_claimed_at, v_started_at
              FROM cascade_attempt WHERE allocation_id = v_id AND attempt = p_late;
        ELSEIF p_outcome IS NOT NULL THEN
            INSERT INTO cascade_attempt
                (allocation_id, attempt, node, node_id, claimed_at, started_at, ended_at, outcome, error_message)
            VALUES (v_id, v_attempt, v_node, COALESCE(v_node_id, ''), v_claimed_at, v_started_at, NOW(3),
                    p_outcome, p_error)
            ON DUPLICATE KEY UPDATE started_at = v_started_at, ended_at = NOW(3), outcome = p_outcome,
                                    error_message = p_error;
        END IF;
        IF p_status = 'pending' THEN
            UPDATE we_cascade_task_allocations
               SET status = 'pending', node_id = NULL, claimed_at = NULL, started_at = NULL,
                   error_message = p_error, updated_at = NOW()
             WHERE id = v_id;
        ELSE
            IF p_status <> 'cancelled' THEN
                INSERT INTO cascade_feed (feed_id, allocation_id)
                SELECT feed_id, v_id FROM cascade_open_feed WHERE open_seq = p_seq ORDER BY feed_id
                    ON DUPLICATE KEY UPDATE allocation_id = v_id;
            END IF;
            DELETE FROM cascade_open_feed WHERE open_seq = p_seq;
            UPDATE we_cascade_task_allocations
               SET status = p_status,
                   node_id = IF(p_outcome IS NULL, NULL, v_node_id),
                   claimed_at = COALESCE(v_claimed_at, claimed_at),
                   started_at = COALESCE(v_started_at, started_at),
                   completed_at = NOW(), error_message = p_error,
                   result_summary = COALESCE(p_result, result_summary), updated_at = NOW()
             WHERE id = v_id;
        END IF;
        IF p_retry_feeds IS NOT NULL THEN
            CALL cascade_again(v_id, v_task, v_attempt, p_failures + 1, p_losts, v_credit_us, v_node,
                p_retry_id, p_retry_seq, p_retry_feeds, p_retry_status, p_retry_delay_ms, p_retry_error);
        END IF;
        IF p_log_id IS NOT NULL THEN
            CALL cascade_log(p_log_id, p_log_node, p_log_operation, 'push', p_log_count, NULL, p_log_extra);
        END IF;
        COMMIT;
        SELECT 1 AS moved;
    END IF;
END $$

-- Part of the caller's transaction: a new allocation for the failed feeds of allocation p_from, which
-- counts as their next attempt: attempt number and counts go on.
CREATE OR REPLACE PROCEDURE cascade_again(
    IN p_from VARCHAR(255) {{text}}, IN p_task INT UNSIGNED, IN p_attempt INT, IN p_failures INT, IN p_losts INT,
    IN p_credit_us BIGINT, IN p_node INT UNSIGNED, IN p_id VARCHAR(255) {{text}}, IN p_seq BIGINT,
    IN p_feeds MEDIUMTEXT {{text}}, IN p_status VARCHAR(20) {{text}}, IN p_delay_ms BIGINT,
    IN p_error MEDIUMTEXT {{text}})
    MODIFIES SQL DATA
    SQL SECURITY INVOKER
BEGIN
    IF p_status = 'pending' THEN
        INSERT INTO cascade_open_feed (task, feed_id, open_seq)
        SELECT p_task, j.feed, p_seq
          FROM JSON_TABLE(p_feeds, '$[*]' COLUMNS (feed VARCHAR(255) {{text}} PATH '$')) j;
        INSERT INTO cascade_open (seq, id, task, attempt, failures, losts, ready_at, order_at, failed_nodes)
        VALUES (p_seq, p_id, p_task, p_attempt, p_failures, p_losts,
                NOW(3) + INTERVAL p_delay_ms * 1000 MICROSECOND,
                NOW(3) + INTERVAL (p_delay_ms * 1000 + p_credit_us) MICROSECOND, p_node);
    END IF;
    INSERT INTO we_cascade_task_allocations
        (id, task_id, task_name, cron_exp, node_id, feed_ids, status, error_message, dispatched_at,
         completed_at, schedule_run_id, article_count, new_article_count, created_at, updated_at, cascade_owned)
    SELECT p_id, task_id, task_name, cron_exp, NULL, p_feeds, p_status, p_error, NOW(),
           IF(p_status = 'pending', NULL, NOW()), schedule_run_id, 0, 0, NOW(), NOW(), 1
      FROM we_cascade_task_allocations WHERE id = p_from;
    INSERT INTO cascade_feed (feed_id, allocation_id)
    SELECT j.feed, p_id FROM JSON_TABLE(p_feeds, '$[*]' COLUMNS (feed VARCHAR(255) {{text}} PATH '$')) j
     ORDER BY j.feed
        ON DUPLICATE KEY UPDATE allocation_id = p_id;
END $$

-- A former holder completes an allocation that has meanwhile failed or timed out.
-- Returns one row: moved = 1 done, 0 the state is another by now, 2 something newer is open for its feeds.
CREATE OR REPLACE PROCEDURE cascade_complete_late(
    IN p_id VARCHAR(255) {{text}}, IN p_attempt INT, IN p_result MEDIUMTEXT {{text}},
    IN p_retry_id VARCHAR(255) {{text}}, IN p_retry_feeds MEDIUMTEXT {{text}}, IN p_retry_error MEDIUMTEXT {{text}},
    IN p_log_id VARCHAR(255) {{text}}, IN p_log_node VARCHAR(255) {{text}}, IN p_log_operation VARCHAR(50) {{text}},
    IN p_log_count INT, IN p_log_extra MEDIUMTEXT {{text}})
    MODIFIES SQL DATA
    SQL SECURITY INVOKER
BEGIN
    DECLARE v_status VARCHAR(20) {{text}};
    DECLARE v_newer INT;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    START TRANSACTION;
    SELECT status INTO v_status FROM we_cascade_task_allocations WHERE id = p_id FOR UPDATE;
    SELECT COUNT(*) INTO v_newer
      FROM we_cascade_task_allocations a
      JOIN cascade_task t ON t.task_id = a.task_id
      JOIN JSON_TABLE(a.feed_ids, '$[*]' COLUMNS (feed VARCHAR(255) {{text}} PATH '$')) j
      JOIN cascade_open_feed f ON f.task = t.seq AND f.feed_id = j.feed
     WHERE a.id = p_id;
    IF v_status IS NULL OR v_status NOT IN ('failed', 'timeout') OR EXISTS (SELECT 1 FROM cascade_open WHERE id = p_id) THEN
        ROLLBACK;
        SELECT 0 AS moved;
    ELSEIF v_newer > 0 THEN
        ROLLBACK;
        SELECT 2 AS moved;
    ELSE
        UPDATE we_cascade_task_allocations a
          JOIN cascade_attempt t ON t.allocation_id = a.id AND t.attempt = p_attempt
           SET a.status = 'completed', a.node_id = t.node_id, a.claimed_at = t.claimed_at,
               a.started_at = t.started_at, a.completed_at = NOW(), a.error_message = NULL,
               a.result_summary = COALESCE(p_result, a.result_summary), a.updated_at = NOW(),
               t.outcome = 'completed', t.ended_at = NOW(3), t.error_message = NULL
         WHERE a.id = p_id;
        IF p_retry_feeds IS NOT NULL THEN
            CALL cascade_again(p_id, 0, 0, 0, 0, 0, 0, p_retry_id, 0, p_retry_feeds, 'failed', 0, p_retry_error);
        END IF;
        IF p_log_id IS NOT NULL THEN
            CALL cascade_log(p_log_id, p_log_node, p_log_operation, 'push', p_log_count, NULL, p_log_extra);
        END IF;
        COMMIT;
        SELECT 1 AS moved;
    END IF;
END $$

-- Sends what has ended as p_status back into the pool, as row p_seq: its counts begin anew, its attempts go
-- on being numbered.
-- Returns one row: moved = 1 done, 0 the state is another by now, 2 something newer is open for one of its
-- feeds, 3 its task was deleted, 4 it has no feeds.
CREATE OR REPLACE PROCEDURE cascade_requeue(
    IN p_id VARCHAR(255) {{text}}, IN p_status VARCHAR(20) {{text}}, IN p_seq BIGINT)
    MODIFIES SQL DATA
    SQL SECURITY INVOKER
BEGIN
    DECLARE v_status VARCHAR(20) {{text}};
    DECLARE v_task_id VARCHAR(255) {{text}};
    DECLARE v_feeds MEDIUMTEXT {{text}};
    DECLARE v_task INT UNSIGNED;
    DECLARE v_n, v_newer, v_priority, v_attempt INT DEFAULT 0;
    DECLARE v_moved INT DEFAULT 1;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    START TRANSACTION;
    SELECT status, task_id, IF(JSON_VALID(feed_ids), feed_ids, '[]') INTO v_status, v_task_id, v_feeds
      FROM we_cascade_task_allocations WHERE id = p_id FOR UPDATE;
    INSERT IGNORE INTO cascade_task (task_id)
    SELECT m.id FROM we_message_tasks m LEFT JOIN cascade_task t ON t.task_id = m.id
     WHERE m.id = v_task_id AND t.seq IS NULL;
    SELECT t.seq, t.priority INTO v_task, v_priority
      FROM we_message_tasks m JOIN cascade_task t ON t.task_id = m.id WHERE m.id = v_task_id;
    SELECT COUNT(*), COUNT(x.feed_id) INTO v_n, v_newer
      FROM JSON_TABLE(v_feeds, '$[*]' COLUMNS (feed VARCHAR(255) {{text}} PATH '$')) j
      LEFT JOIN cascade_open_feed x ON x.task = v_task AND x.feed_id = j.feed
     WHERE j.feed IS NOT NULL;
    IF v_status IS NULL OR v_status <> p_status OR EXISTS (SELECT 1 FROM cascade_open WHERE id = p_id) THEN
        SET v_moved = 0;
    ELSEIF v_task IS NULL THEN
        SET v_moved = 3;
    ELSEIF v_n = 0 THEN
        SET v_moved = 4;
    ELSEIF v_newer > 0 THEN
        SET v_moved = 2;
    END IF;

    IF v_moved <> 1 THEN
        ROLLBACK;
    ELSE
        SELECT COALESCE(MAX(attempt), 0) INTO v_attempt FROM cascade_attempt WHERE allocation_id = p_id;
        INSERT INTO cascade_open_feed (task, feed_id, open_seq)
        SELECT DISTINCT v_task, j.feed, p_seq
          FROM JSON_TABLE(v_feeds, '$[*]' COLUMNS (feed VARCHAR(255) {{text}} PATH '$')) j
         WHERE j.feed IS NOT NULL;
        INSERT INTO cascade_open (seq, id, task, attempt, ready_at, order_at)
        VALUES (p_seq, p_id, v_task, v_attempt, NOW(3), NOW(3) - INTERVAL v_priority * 10 MINUTE);
        UPDATE we_cascade_task_allocations
           SET status = 'pending', cascade_owned = 1, node_id = NULL, claimed_at = NULL, started_at = NULL,
               completed_at = NULL, error_message = NULL, result_summary = NULL, updated_at = NOW()
         WHERE id = p_id;
        COMMIT;
    END IF;
    SELECT v_moved;
END $$

-- Part of the caller's transaction: one finished row of the sync log.
CREATE OR REPLACE PROCEDURE cascade_log(
    IN p_id VARCHAR(255) {{text}}, IN p_node_id VARCHAR(255) {{text}}, IN p_operation VARCHAR(50) {{text}},
    IN p_direction VARCHAR(20) {{text}}, IN p_count INT, IN p_error MEDIUMTEXT {{text}}, IN p_extra MEDIUMTEXT {{text}})
    MODIFIES SQL DATA
    SQL SECURITY INVOKER
BEGIN
    INSERT INTO we_cascade_sync_logs
        (id, node_id, operation, direction, status, data_count, error_message, extra_data, started_at, completed_at)
    VALUES (p_id, p_node_id, p_operation, p_direction, IF(p_error IS NULL, 1, 2), p_count, p_error, p_extra,
            NOW(), NOW());
END $$

-- The next batch of a run: up to p_limit of its task's feeds after the cursor, in the order of their
-- ids, those with something open left out. p_base is the first of p_limit free row numbers.
--   p_all  1: every enabled feed; 0: those of the task's mps_id (which must be a JSON array)
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
    DECLARE v_per, v_looked, v_feeds, v_created INT DEFAULT 0;
    DECLARE v_priority INT;
    DECLARE v_finished DATETIME(3);
    DECLARE v_ms VARCHAR(12) {{text}};
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    START TRANSACTION;
    SELECT batch_cursor, finished_at INTO v_cursor, v_finished
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

-- Adopts a pending allocation that WeRSS's own dispatcher inserted, as row p_seq. Feeds that have
-- something open already, or whose task was dispatched by another run in the last p_window seconds, are
-- duplicates: they are left out, and where nothing is left the row is closed.
-- Returns one row: 1 adopted, 2 closed as a duplicate, 0 no longer there to adopt.
CREATE OR REPLACE PROCEDURE cascade_adopt(
    IN p_id VARCHAR(255) {{text}}, IN p_seq BIGINT, IN p_window INT, IN p_error MEDIUMTEXT {{text}})
    MODIFIES SQL DATA
    SQL SECURITY INVOKER
BEGIN
    DECLARE v_task INT UNSIGNED;
    DECLARE v_task_id, v_run VARCHAR(255) {{text}};
    DECLARE v_feeds MEDIUMTEXT {{text}};
    DECLARE v_priority, v_n INT DEFAULT 0;
    DECLARE v_recent BOOL;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    START TRANSACTION;
    SELECT task_id, COALESCE(schedule_run_id, id), IF(JSON_VALID(feed_ids), feed_ids, '[]') INTO v_task_id, v_run, v_feeds
      FROM we_cascade_task_allocations
     WHERE id = p_id AND NOT cascade_owned AND status = 'pending' FOR UPDATE;
    IF v_task_id IS NULL THEN
        ROLLBACK;
        SELECT 0;
    ELSE
        INSERT INTO cascade_task (task_id) VALUES (v_task_id) ON DUPLICATE KEY UPDATE seq = seq;
        SELECT seq, priority INTO v_task, v_priority FROM cascade_task WHERE task_id = v_task_id;
        SELECT COUNT(*) > 0 INTO v_recent FROM cascade_run
         WHERE task = v_task AND created_at > NOW(3) - INTERVAL p_window SECOND AND run_id <> v_run;
        IF NOT v_recent THEN
            INSERT INTO cascade_open_feed (task, feed_id, open_seq)
            SELECT DISTINCT v_task, j.feed, p_seq
              FROM JSON_TABLE(v_feeds, '$[*]' COLUMNS (feed VARCHAR(255) {{text}} PATH '$')) j
              LEFT JOIN cascade_open_feed x
                ON x.task = v_task AND x.feed_id = j.feed
             WHERE j.feed IS NOT NULL AND x.feed_id IS NULL;
            SET v_n = ROW_COUNT();
        END IF;
        IF v_n > 0 THEN
            INSERT INTO cascade_run (run_id, task, created, created_at, touched_at, finished_at)
            VALUES (v_run, v_task, 1, NOW(3), NOW(3), NOW(3)) ON DUPLICATE KEY UPDATE created = created + 1;
            INSERT INTO cascade_open (seq, id, task, ready_at, order_at)
            VALUES (p_seq, p_id, v_task, NOW(3), NOW(3) - INTERVAL v_priority * 10 MINUTE);
            UPDATE we_cascade_task_allocations
               SET cascade_owned = 1, node_id = NULL, updated_at = NOW(),
                   feed_ids = (SELECT JSON_ARRAYAGG(f.feed_id ORDER BY f.feed_id)
                                 FROM cascade_open_feed f WHERE f.open_seq = p_seq)
             WHERE id = p_id;
        ELSE
            UPDATE we_cascade_task_allocations
               SET cascade_owned = 1, status = 'cancelled', error_message = p_error, completed_at = NOW(),
                   updated_at = NOW()
             WHERE id = p_id;
        END IF;
        COMMIT;
        SELECT IF(v_n > 0, 1, 2);
    END IF;
END $$

DELIMITER ;
