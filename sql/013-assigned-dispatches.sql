-- SPDX-License-Identifier: MIT
-- A batch of a run in two steps of one transaction of the caller's, so that who gets what can be chosen in
-- between, by the feeds that it has come out with: the allocations are then created assigned. Ids rise
-- within a batch: random ones went into every index of the shown row at a random place. (cascade_dispatch, which did
-- both at once, stays for workers of the release before.)

DELIMITER $$

-- Takes the feeds of the next batch of a run, up to p_limit of its task's feeds after the cursor, in the order
-- of their ids, those with something open left out, and advances the run. p_base is the first of p_limit free
-- row numbers.
--   p_all  1: every enabled feed; 0: those of the task's mps_id (which must be a JSON array)
-- Returns one row: allocations to be created, at the row numbers from p_base on; feeds skipped because
-- something is open; finished (1 or 0); allocations that the run had before; feeds of each.
CREATE OR REPLACE PROCEDURE cascade_dispatch_feeds(
    IN p_run_id VARCHAR(255) {{text}}, IN p_task INT UNSIGNED, IN p_all BOOL, IN p_base BIGINT, IN p_limit INT)
    MODIFIES SQL DATA
    SQL SECURITY INVOKER
BEGIN
    DECLARE v_cursor, v_last VARCHAR(255) {{text}};
    DECLARE v_mps MEDIUMTEXT {{text}};
    DECLARE v_per, v_looked, v_feeds, v_created, v_before INT DEFAULT 0;
    DECLARE v_finished DATETIME(3);

    SELECT batch_cursor, finished_at, created INTO v_cursor, v_finished, v_before
      FROM cascade_run WHERE run_id = p_run_id AND task = p_task FOR UPDATE;
    SELECT t.feeds_per_allocation, IF(p_all, NULL, m.mps_id) INTO v_per, v_mps
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
    IF v_finished IS NULL THEN
        SET v_created = CEIL(v_feeds / v_per);
        UPDATE cascade_run
           SET batch_cursor = COALESCE(v_last, batch_cursor), created = created + v_created,
               skipped_open = skipped_open + v_looked - v_feeds, touched_at = NOW(3),
               finished_at = IF(v_looked < p_limit, NOW(3), NULL)
         WHERE run_id = p_run_id AND task = p_task;
    END IF;
    SELECT v_created, v_looked - v_feeds, v_finished IS NOT NULL OR v_looked < p_limit, v_before, v_per;
END $$

-- Creates the allocations of these feeds, one for each element of p_nodes: the number of the node that it is
-- assigned to, 0 for none. p_before is what the run had before, p_per the most feeds that one has. The nodes'
-- counts are the caller's to raise.
-- In the queue each allocation stands 10 ms behind the one before it, up to 59 s in all: a task with
-- few feeds that falls due together with one of many does not come after all of it.
CREATE OR REPLACE PROCEDURE cascade_dispatch_open(
    IN p_run_id VARCHAR(255) {{text}}, IN p_task INT UNSIGNED, IN p_base BIGINT, IN p_before INT,
    IN p_per INT, IN p_nodes MEDIUMTEXT {{text}})
    MODIFIES SQL DATA
    SQL SECURITY INVOKER
BEGIN
    DECLARE v_task_id VARCHAR(255) {{text}};
    DECLARE v_name VARCHAR(255) {{text}};
    DECLARE v_cron VARCHAR(100) {{text}};
    DECLARE v_priority, v_n INT;
    DECLARE v_now, v_first DATETIME(3) DEFAULT NOW(3);
    DECLARE v_time, v_salt VARCHAR(64) {{text}};

    SELECT t.task_id, t.priority, m.name, m.cron_exp
      INTO v_task_id, v_priority, v_name, v_cron
      FROM cascade_task t LEFT JOIN we_message_tasks m ON m.id = t.task_id WHERE t.seq = p_task;
    SET v_first = v_now - INTERVAL v_priority * 10 MINUTE;
    SET v_time = LPAD(HEX(CAST(UNIX_TIMESTAMP(v_now) * 1000 AS UNSIGNED)), 12, '0');
    SET v_time = CONCAT(LEFT(v_time, 8), '-', RIGHT(v_time, 4), '-7'), v_salt = CONCAT(UUID(), RAND());
    -- ids are UUIDv7: the time in milliseconds, then the place in the batch (20 bits), then random bits
    INSERT INTO cascade_open (seq, id, task, node, ready_at, order_at, assigned_at)
    SELECT p_base + r.place,
           LOWER(CONCAT(v_time, LEFT(r.place_hex, 3), '-8', RIGHT(r.place_hex, 2), LEFT(r.random, 1), '-',
                        SUBSTR(r.random, 2, 12))),
           p_task, r.node, v_now, v_first + INTERVAL LEAST((p_before + r.place) * 10000, 59000000) MICROSECOND,
           IF(r.node = 0, NULL, v_now)
      FROM (SELECT j.place - 1 AS place, j.node, LPAD(HEX(j.place - 1), 5, '0') AS place_hex,
                   MD5(CONCAT(v_salt, j.place)) AS random
              FROM JSON_TABLE(p_nodes, '$[*]' COLUMNS (place FOR ORDINALITY, node INT UNSIGNED PATH '$')) j) r;
    SET v_n = ROW_COUNT();
    IF p_per = 1 THEN
        INSERT INTO we_cascade_task_allocations
            (id, task_id, task_name, cron_exp, node_id, feed_ids, status, dispatched_at, schedule_run_id,
             article_count, new_article_count, created_at, updated_at, cascade_owned)
        SELECT o.id, v_task_id, v_name, v_cron, n.node_id, JSON_ARRAY(f.feed_id), 'pending',
               v_now, p_run_id, 0, 0, v_now, v_now, 1
          FROM cascade_open o
          JOIN cascade_open_feed f ON f.open_seq = o.seq
          LEFT JOIN cascade_node n ON n.seq = o.node
         WHERE o.seq >= p_base AND o.seq < p_base + v_n
         ORDER BY o.seq;
    ELSE
        INSERT INTO we_cascade_task_allocations
            (id, task_id, task_name, cron_exp, node_id, feed_ids, status, dispatched_at, schedule_run_id,
             article_count, new_article_count, created_at, updated_at, cascade_owned)
        SELECT o.id, v_task_id, v_name, v_cron, MAX(n.node_id), JSON_ARRAYAGG(f.feed_id ORDER BY f.feed_id), 'pending',
               v_now, p_run_id, 0, 0, v_now, v_now, 1
          FROM cascade_open o
          JOIN cascade_open_feed f ON f.open_seq = o.seq
          LEFT JOIN cascade_node n ON n.seq = o.node
         WHERE o.seq >= p_base AND o.seq < p_base + v_n
         GROUP BY o.seq;
    END IF;
END $$

DELIMITER ;
