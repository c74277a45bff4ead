-- SPDX-License-Identifier: MIT
-- Claims and reports in fewer and narrower statements. What a request costs is not the rows that it
-- writes but the statements that it takes to write them, each of which is planned anew; so what the
-- caller has read already comes as a parameter, and the guard is the version that it was read with:
-- ver grows with every transition of an allocation, so what was true of it still is.
-- Lock order: node, then allocation.

-- Lets a claim see whether it has to look for work that was assigned to its node since it last found none.
ALTER TABLE cascade_node
    ADD COLUMN IF NOT EXISTS assigned INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'grows whenever work is assigned to it';

DELIMITER $$

-- Hands allocation p_seq, which was seen pending with version p_ver, to node p_node, until p_lease.
--   p_more   1: it was nobody's, and the node needs room for it; 0: it is the node's own, and counts already
--   p_log_*  sync log row to write; p_log_id NULL: none
-- Part of the caller's transaction where there is one, else one of its own.
-- Returns one row: moved (1 or 0; 0 also where the node takes nothing now).
CREATE OR REPLACE PROCEDURE cascade_claim_one(
    IN p_node INT UNSIGNED, IN p_node_id VARCHAR(255) {{text}}, IN p_lease DATETIME(3), IN p_more BOOL,
    IN p_seq BIGINT, IN p_ver INT UNSIGNED, IN p_id VARCHAR(255) {{text}},
    IN p_log_id VARCHAR(255) {{text}}, IN p_log_count INT, IN p_log_extra MEDIUMTEXT {{text}})
    MODIFIES SQL DATA
    SQL SECURITY INVOKER
BEGIN
    DECLARE v_moved BOOL;
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
       SET n.open_count = n.open_count + p_more, n.last_seen_at = NOW(3), n.last_claim_at = NOW(3), n.may_reserve = 1,
           o.state = 1, o.node = p_node, o.ver = o.ver + 1, o.attempt = o.attempt + 1, o.claimed_at = NOW(3),
           o.started_at = NULL, o.lease_until = p_lease
     WHERE n.seq = p_node AND n.active AND NOT n.draining AND COALESCE(n.hold_until <= NOW(3), 1)
       AND (p_more = 0 OR n.open_count < n.max_capacity)
       AND o.seq = p_seq AND o.ver = p_ver;
    SET v_moved = ROW_COUNT() > 0;
    IF v_moved THEN
        UPDATE we_cascade_task_allocations
           SET status = 'claimed', node_id = p_node_id, claimed_at = NOW(), started_at = NULL, updated_at = NOW()
         WHERE id = p_id;
        IF p_log_id IS NOT NULL THEN
            INSERT INTO we_cascade_sync_logs
                (id, node_id, operation, direction, status, data_count, extra_data, started_at, completed_at)
            VALUES (p_log_id, p_node_id, 'claim_task', 'pull', 1, p_log_count, p_log_extra, NOW(), NOW());
        END IF;
    END IF;
    IF v_alone THEN
        COMMIT;
    END IF;
    SELECT v_moved AS moved;
END $$

-- The same for several, all or nothing.
--   p_items  JSON array of [p_seq, p_ver]
--   p_more   how many of them were nobody's
-- Returns one row: moved (1; 0 where one has changed since, or the node takes nothing now or has not so much room).
CREATE OR REPLACE PROCEDURE cascade_claim_many(
    IN p_node INT UNSIGNED, IN p_node_id VARCHAR(255) {{text}}, IN p_lease DATETIME(3), IN p_more INT,
    IN p_items MEDIUMTEXT {{text}},
    IN p_log_id VARCHAR(255) {{text}}, IN p_log_count INT, IN p_log_extra MEDIUMTEXT {{text}})
    MODIFIES SQL DATA
    SQL SECURITY INVOKER
BEGIN
    DECLARE v_takes BOOL DEFAULT 0;
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
    SAVEPOINT cascade_claim_many;
    SELECT active AND NOT draining AND COALESCE(hold_until <= NOW(3), 1)
           AND (p_more = 0 OR open_count + p_more <= max_capacity)
      INTO v_takes FROM cascade_node WHERE seq = p_node FOR UPDATE;
    IF v_takes THEN
        UPDATE cascade_node
           SET open_count = open_count + p_more, last_seen_at = NOW(3), last_claim_at = NOW(3), may_reserve = 1
         WHERE seq = p_node;
        UPDATE JSON_TABLE(p_items, '$[*]' COLUMNS (seq BIGINT PATH '$[0]', ver INT UNSIGNED PATH '$[1]')) j
          STRAIGHT_JOIN cascade_open o ON o.seq = j.seq
           SET o.state = 1, o.node = p_node, o.ver = o.ver + 1, o.attempt = o.attempt + 1, o.claimed_at = NOW(3),
               o.started_at = NULL, o.lease_until = p_lease
         WHERE o.ver = j.ver;
        SET v_takes = ROW_COUNT() = JSON_LENGTH(p_items);
    END IF;
    IF v_takes THEN
        UPDATE JSON_TABLE(p_items, '$[*]' COLUMNS (seq BIGINT PATH '$[0]')) j
          STRAIGHT_JOIN cascade_open o ON o.seq = j.seq
          STRAIGHT_JOIN we_cascade_task_allocations a ON a.id = o.id
           SET a.status = 'claimed', a.node_id = p_node_id, a.claimed_at = NOW(), a.started_at = NULL,
               a.updated_at = NOW();
        IF p_log_id IS NOT NULL THEN
            INSERT INTO we_cascade_sync_logs
                (id, node_id, operation, direction, status, data_count, extra_data, started_at, completed_at)
            VALUES (p_log_id, p_node_id, 'claim_task', 'pull', 1, p_log_count, p_log_extra, NOW(), NOW());
        END IF;
    ELSE
        ROLLBACK TO SAVEPOINT cascade_claim_many;
    END IF;
    IF v_alone THEN
        COMMIT;
    END IF;
    SELECT v_takes AS moved;
END $$

-- The holder proves that it works: state and lease of p_seq, which was seen in its hands with version p_ver.
-- (The version grows even where neither changes, or nothing would tell whether the row was there.)
--   p_seen   1: the node's sign of life is due too
--   p_first  1: it was seen claimed, and is executing from now on
--   p_linked, p_new  articles more, and how many of them were new to everybody
-- Part of the caller's transaction where there is one, else one of its own. Returns one row: moved (1 or 0).
CREATE OR REPLACE PROCEDURE cascade_proceed(
    IN p_node INT UNSIGNED, IN p_seen BOOL, IN p_seq BIGINT, IN p_ver INT UNSIGNED, IN p_id VARCHAR(255) {{text}},
    IN p_first BOOL, IN p_lease_s INT, IN p_max_run_s INT, IN p_linked INT, IN p_new INT)
    MODIFIES SQL DATA
    SQL SECURITY INVOKER
BEGIN
    DECLARE v_moved BOOL;
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
    IF p_seen THEN
        UPDATE cascade_node SET last_seen_at = NOW(3) WHERE seq = p_node;
    END IF;
    UPDATE cascade_open
       SET ver = ver + 1, state = 2, started_at = COALESCE(started_at, NOW(3)),
           lease_until = LEAST(NOW(3) + INTERVAL p_lease_s SECOND, claimed_at + INTERVAL p_max_run_s SECOND)
     WHERE seq = p_seq AND ver = p_ver;
    SET v_moved = ROW_COUNT() > 0;
    IF v_moved AND (p_first OR p_linked > 0) THEN
        UPDATE we_cascade_task_allocations
           SET status = 'executing', started_at = COALESCE(started_at, NOW()), updated_at = NOW(),
               article_count = COALESCE(article_count, 0) + p_linked,
               new_article_count = COALESCE(new_article_count, 0) + p_new
         WHERE id = p_id;
    END IF;
    IF v_alone THEN
        COMMIT;
    END IF;
    SELECT v_moved AS moved;
END $$

-- A heartbeat that is due and says nothing else, as most do: the signs of life of p_node, whose id is p_node_id.
CREATE OR REPLACE PROCEDURE cascade_alive(IN p_node INT UNSIGNED, IN p_node_id VARCHAR(255) {{text}})
    MODIFIES SQL DATA
    SQL SECURITY INVOKER
BEGIN
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        ROLLBACK;
        RESIGNAL;
    END;

    START TRANSACTION;
    UPDATE cascade_node SET last_heartbeat_at = NOW(3), last_seen_at = NOW(3) WHERE seq = p_node AND active;
    IF ROW_COUNT() > 0 THEN
        UPDATE we_cascade_nodes SET last_heartbeat_at = NOW(), status = 1 WHERE id = p_node_id;
    END IF;
    COMMIT;
END $$

DELIMITER ;
