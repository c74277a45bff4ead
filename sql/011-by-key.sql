-- SPDX-License-Identifier: MIT
-- What nodes do all the time, each row by its key. An UPDATE of several tables keeps keys and values for all
-- but the first in a temporary table, which is a file as soon as one of them may be longer than 512 bytes, as
-- WeRSS's keys may: that cost more than all the rest of a claim, a report or a heartbeat.
-- Lock order: node, then allocation.

DELIMITER $$

-- Hands node p_node its own assigned work, the first from place p_own of the queue on (microseconds since
-- 1970), else p_seq (0: nothing else) if that is ready and the node's own or nobody's, and the node has
-- room for it, and did not hand it back for longer. The place is for the caller to remember: entries of what
-- was claimed stay in the index until they are purged, and each claim would walk over all of them.
-- The sync log's row p_log_id says what of it there is to hand out: nothing where its task, or every
-- feed of it, was deleted. Part of the caller's transaction where there is one, else one of its own.
-- Returns the package, a row a feed, the columns of the task or the feed NULL where it was deleted, last its
-- row number and place; no result at all where nothing was taken.
CREATE OR REPLACE PROCEDURE cascade_claim(
    IN p_lease_s INT, IN p_node INT UNSIGNED, IN p_own BIGINT, IN p_seq BIGINT, IN p_log_id VARCHAR(255) {{text}})
    MODIFIES SQL DATA
    SQL SECURITY INVOKER
BEGIN
    DECLARE v_node_id, v_id VARCHAR(255) {{text}};
    DECLARE v_attempt, v_more INT;
    DECLARE v_room BOOL;
    DECLARE v_seq BIGINT DEFAULT p_seq;
    DECLARE v_now, v_lease, v_dispatched, v_order DATETIME(3);
    DECLARE v_epoch DATETIME DEFAULT '1970-01-01';
    DECLARE v_alone BOOL DEFAULT NOT @@in_transaction;
    DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
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
    -- What the node has claimed and been assigned so far is committed from here on.
    SELECT node_id, open_count < max_capacity INTO v_node_id, v_room
      FROM cascade_node WHERE seq = p_node AND active AND NOT draining AND COALESCE(hold_until <= NOW(3), 1)
       FOR UPDATE;
    SELECT seq INTO v_seq
      FROM cascade_open FORCE INDEX (queue)
     WHERE state = 0 AND node = p_node AND order_at >= v_epoch + INTERVAL p_own MICROSECOND AND ready_at <= NOW(3)
     ORDER BY order_at LIMIT 1;
    SELECT o.id, o.attempt + 1, o.node = 0, o.order_at, a.dispatched_at
      INTO v_id, v_attempt, v_more, v_order, v_dispatched
      FROM cascade_open o LEFT JOIN we_cascade_task_allocations a ON a.id = o.id
     WHERE o.seq = v_seq AND o.state = 0 AND o.ready_at <= NOW(3) AND v_node_id IS NOT NULL
       AND (o.node = p_node OR (o.node = 0 AND v_room))
       AND NOT EXISTS (SELECT 1 FROM cascade_hold h
                        WHERE h.open_seq = o.seq AND h.node = p_node AND h.held_until > NOW(3))
       FOR UPDATE;
    IF v_id IS NOT NULL THEN
        SET v_now = NOW(3), v_lease = v_now + INTERVAL p_lease_s SECOND;
        UPDATE cascade_node
           SET open_count = open_count + v_more, last_seen_at = v_now, last_claim_at = v_now, may_reserve = 1
         WHERE seq = p_node;
        UPDATE cascade_open
           SET state = 1, node = p_node, ver = ver + 1, attempt = v_attempt, claimed_at = v_now,
               started_at = NULL, lease_until = v_lease
         WHERE seq = v_seq;
        UPDATE we_cascade_task_allocations
           SET status = 'claimed', node_id = v_node_id, claimed_at = v_now, started_at = NULL, updated_at = v_now
         WHERE id = v_id;
        INSERT INTO we_cascade_sync_logs
            (id, node_id, operation, direction, status, data_count, extra_data, started_at, completed_at)
        SELECT p_log_id, v_node_id, 'claim_task', 'pull', 1, COUNT(*),
               JSON_OBJECT('allocation_id', v_id, 'task_id', MAX(t.task_id), 'attempt', v_attempt + 0), v_now, v_now
          FROM cascade_open_feed f
          JOIN cascade_task t ON t.seq = f.task
          JOIN we_message_tasks m ON m.id = t.task_id
          JOIN we_feeds w ON w.id = f.feed_id
         WHERE f.open_seq = v_seq HAVING COUNT(*) > 0;
    END IF;
    IF v_alone THEN
        COMMIT;
    END IF;
    IF v_id IS NOT NULL THEN
        SELECT v_id, t.task_id, m.id, m.name, m.message_type, m.message_template, m.web_hook_url,
               m.cron_exp, m.headers, m.cookies, v_dispatched, v_lease, v_attempt,
               w.id, w.faker_id, w.mp_name, w.mp_cover, w.mp_intro, w.status,
               v_seq, TIMESTAMPDIFF(MICROSECOND, v_epoch, v_order)
          FROM cascade_open_feed f
          JOIN cascade_task t ON t.seq = f.task
          LEFT JOIN we_message_tasks m ON m.id = t.task_id
          LEFT JOIN we_feeds w ON w.id = f.feed_id
         WHERE f.open_seq = v_seq ORDER BY f.task, f.feed_id;
    END IF;
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
--   p_hold_s   the holder hands it back, and is not given it again for so long; NULL: it does not
-- Returns one row: moved (1 or 0).
CREATE OR REPLACE PROCEDURE cascade_end(
    IN p_seq BIGINT, IN p_ver INT UNSIGNED,
    IN p_status VARCHAR(20) {{text}}, IN p_outcome VARCHAR(20) {{text}}, IN p_late INT,
    IN p_failures INT, IN p_losts INT, IN p_delay_ms BIGINT,
    IN p_error MEDIUMTEXT {{text}}, IN p_result MEDIUMTEXT {{text}},
    IN p_retry_id VARCHAR(255) {{text}}, IN p_retry_seq BIGINT, IN p_retry_feeds MEDIUMTEXT {{text}},
    IN p_retry_status VARCHAR(20) {{text}}, IN p_retry_delay_ms BIGINT, IN p_retry_error MEDIUMTEXT {{text}},
    IN p_log_id VARCHAR(255) {{text}}, IN p_log_node VARCHAR(255) {{text}}, IN p_log_operation VARCHAR(50) {{text}},
    IN p_log_count INT, IN p_log_extra MEDIUMTEXT {{text}}, IN p_hold_s INT)
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
               last_seen_at = IF(p_late = 0 AND p_outcome IN ('completed', 'failed', 'released'), NOW(3), last_seen_at)
         WHERE seq = v_node AND open_count > 0;
    END IF;
    IF v_found AND p_status = 'pending' THEN
        UPDATE cascade_open
           SET state = 0, node = 0, ver = ver + 1, failures = p_failures, losts = p_losts,
               ready_at = NOW(3) + INTERVAL p_delay_ms * 1000 MICROSECOND,
               order_at = NOW(3) + INTERVAL (p_delay_ms * 1000 + v_credit_us) MICROSECOND,
               assigned_at = NULL, claimed_at = NULL, started_at = NULL, lease_until = NULL,
               failed_nodes = IF((p_failures > v_failures OR p_hold_s IS NOT NULL) AND v_node <> 0
                                 AND NOT FIND_IN_SET(v_node, failed_nodes) AND LENGTH(failed_nodes) < 240,
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
        IF p_status = 'pending' AND p_hold_s > 0 THEN
            INSERT INTO cascade_hold (open_seq, node, held_until)
            VALUES (p_seq, v_node, NOW(3) + INTERVAL p_hold_s SECOND)
            ON DUPLICATE KEY UPDATE held_until = VALUES(held_until);
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

-- The holder proves that it works: state and lease. Part of the caller's transaction where there is one,
-- else one of its own. Returns one row: moved (1 or 0).
CREATE OR REPLACE PROCEDURE cascade_executing(
    IN p_lease_s INT, IN p_max_run_s INT, IN p_node INT UNSIGNED, IN p_seq BIGINT, IN p_ver INT UNSIGNED)
    MODIFIES SQL DATA
    SQL SECURITY INVOKER
BEGIN
    DECLARE v_id VARCHAR(255) {{text}};
    DECLARE v_alone BOOL DEFAULT NOT @@in_transaction;
    DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
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
    UPDATE cascade_node SET last_seen_at = NOW(3) WHERE seq = p_node;
    SELECT id INTO v_id FROM cascade_open
     WHERE seq = p_seq AND ver = p_ver AND node = p_node AND state IN (1, 2) FOR UPDATE;
    IF v_id IS NOT NULL THEN
        UPDATE cascade_open
           SET ver = ver + IF(state = 2, 0, 1), started_at = COALESCE(started_at, NOW(3)),
               lease_until = LEAST(NOW(3) + INTERVAL p_lease_s SECOND, claimed_at + INTERVAL p_max_run_s SECOND),
               state = 2
         WHERE seq = p_seq;
        UPDATE we_cascade_task_allocations
           SET status = 'executing', started_at = COALESCE(started_at, NOW()), updated_at = NOW()
         WHERE id = v_id;
    END IF;
    IF v_alone THEN
        COMMIT;
    END IF;
    SELECT v_id IS NOT NULL AS moved;
END $$

-- A heartbeat: signs of life, if the last is p_touch_s old, and p_callback where it is another than what is
-- stored. With p_holding (JSON array of ids; NULL: not given) the leases of what the node holds: what it
-- names is renewed, what it leaves out lapses soon. With p_hold_s (NULL: not given) the node asks for no work
-- for so long; 0: it asks for work again.
CREATE OR REPLACE PROCEDURE cascade_heartbeat(
    IN p_node INT UNSIGNED, IN p_touch_s INT, IN p_callback VARCHAR(500) {{text}}, IN p_holding MEDIUMTEXT {{text}},
    IN p_claim_s INT, IN p_exec_s INT, IN p_max_run_s INT, IN p_forgotten_s INT,
    IN p_hold_s INT)
    MODIFIES SQL DATA
    SQL SECURITY INVOKER
BEGIN
    DECLARE v_node_id VARCHAR(255) {{text}};
    DECLARE v_due BOOL DEFAULT 0;
    DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    START TRANSACTION;
    SELECT node_id, p_holding IS NOT NULL OR last_heartbeat_at IS NULL
                    OR last_heartbeat_at < NOW(3) - INTERVAL p_touch_s SECOND
      INTO v_node_id, v_due FROM cascade_node WHERE seq = p_node AND active FOR UPDATE;
    IF v_due THEN
        UPDATE cascade_node SET last_heartbeat_at = NOW(3), last_seen_at = NOW(3) WHERE seq = p_node;
    END IF;
    IF p_hold_s IS NOT NULL THEN
        UPDATE cascade_node SET hold_until = IF(p_hold_s > 0, NOW(3) + INTERVAL p_hold_s SECOND, NULL)
         WHERE seq = p_node AND active;
    END IF;
    UPDATE we_cascade_nodes
       SET last_heartbeat_at = NOW(), status = 1, callback_url = COALESCE(p_callback, callback_url)
     WHERE id = v_node_id AND (v_due OR NOT (callback_url <=> COALESCE(p_callback, callback_url)));
    IF v_node_id IS NOT NULL AND p_holding IS NOT NULL THEN
        UPDATE cascade_open
           SET lease_until = IF(JSON_CONTAINS(p_holding, JSON_QUOTE(id)),
                   LEAST(NOW(3) + INTERVAL IF(state = 1, p_claim_s, p_exec_s) SECOND,
                         claimed_at + INTERVAL p_max_run_s SECOND),
                   LEAST(lease_until, NOW(3) + INTERVAL p_forgotten_s SECOND))
         WHERE state IN (1, 2) AND node = p_node;
    END IF;
    COMMIT;
END $$

DELIMITER ;
