-- SPDX-License-Identifier: MIT
-- What nodes do all the time, each row by its key. An UPDATE of several tables keeps keys and values for all
-- but the first in a temporary table, which is a file as soon as one of them may be longer than 512 bytes, as
-- WeRSS's keys may: that cost more than all the rest of a claim, a report or a heartbeat.
-- Lock order: node, then allocation.

DELIMITER $$

-- Hands node p_node its own assigned work, the first from place p_own of the queue on (microseconds since
-- 1970), else p_seq (0: nothing else) if that is ready and the node's own or nobody's, and the node has
-- room for it. The place is for the caller to remember: entries of what was claimed stay in the index until
-- they are purged, and each claim would walk over all of them.
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
      FROM cascade_node WHERE seq = p_node AND active AND NOT draining FOR UPDATE;
    SELECT seq INTO v_seq
      FROM cascade_open FORCE INDEX (queue)
     WHERE state = 0 AND node = p_node AND order_at >= v_epoch + INTERVAL p_own MICROSECOND AND ready_at <= NOW(3)
     ORDER BY order_at LIMIT 1;
    SELECT o.id, o.attempt + 1, o.node = 0, o.order_at, a.dispatched_at
      INTO v_id, v_attempt, v_more, v_order, v_dispatched
      FROM cascade_open o LEFT JOIN we_cascade_task_allocations a ON a.id = o.id
     WHERE o.seq = v_seq AND o.state = 0 AND o.ready_at <= NOW(3) AND v_node_id IS NOT NULL
       AND (o.node = p_node OR (o.node = 0 AND v_room))
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
-- names is renewed, what it leaves out lapses soon.
CREATE OR REPLACE PROCEDURE cascade_heartbeat(
    IN p_node INT UNSIGNED, IN p_touch_s INT, IN p_callback VARCHAR(500) {{text}}, IN p_holding MEDIUMTEXT {{text}},
    IN p_claim_s INT, IN p_exec_s INT, IN p_max_run_s INT, IN p_forgotten_s INT)
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
