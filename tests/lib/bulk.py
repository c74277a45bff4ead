# SPDX-License-Identifier: MIT
"""
Large tables, filled by the server itself from its sequence tables. A table of any size has the same
mixture; what is rare of it (RARE_*) is among the oldest, where a listing in the order of time comes last.
"""
TASKS, NODES = 20, 50
RARE_TASK, RARE_NODE, RARE_STATUS = "bt-rare", "bn-rare", "cancelled"
TASK, NODE = "bt-3", "bn-7"

# of a thousand: the rest is completed
_STATES = ((10, "pending"), (15, "claimed"), (20, "executing"), (70, "failed"), (80, "timeout"))


def _state(number):
    cases = " ".join("WHEN %s < %d THEN '%s'" % (number, below, state) for below, state in _STATES)
    return "CASE %s ELSE 'completed' END" % cases


def _rare(name, rare, usual):
    return "IF(seq > %d, '%s', %s)" % (name, rare, usual)


def nodes_and_tasks(s):
    s.sql("INSERT INTO we_cascade_nodes (id, node_type, name, status, is_active, sync_config, created_at)"
          " SELECT CONCAT('bn-', seq), 1, CONCAT('节点', seq), 1, 1, '{}', UTC_TIMESTAMP() FROM seq_0_to_%d" % (NODES - 1))
    s.sql("INSERT INTO cascade_node (node_id, last_seen_at) SELECT id, UTC_TIMESTAMP(3) FROM we_cascade_nodes"
          " WHERE id LIKE 'bn-%'")
    s.sql("INSERT INTO we_message_tasks (id, message_type, name, message_template, web_hook_url, mps_id, cron_exp, status)"
          " SELECT CONCAT('bt-', seq), 0, CONCAT('任务', seq), '', '', '[]', '', 1 FROM seq_0_to_%d" % (TASKS - 1))
    s.sql("INSERT INTO cascade_task (task_id) SELECT id FROM we_message_tasks WHERE id LIKE 'bt-%'")


def feeds(s, count):
    """A third each is long out of date, recent, and of unknown age."""
    s.sql("INSERT INTO we_feeds (id, mp_name, mp_cover, mp_intro, status, sync_time, update_time, created_at, updated_at,"
          " faker_id) SELECT CONCAT('MP_WXS_', 5000000000 + seq), CONCAT('公众号', seq), 'https://img.example/c', '简介', 1, 0,"
          " ELT(1 + seq MOD 3, UNIX_TIMESTAMP() - 90000 - seq MOD 700000, UNIX_TIMESTAMP() - seq MOD 80000, NULL),"
          " UTC_TIMESTAMP(), UTC_TIMESTAMP(), 'MzA' FROM seq_1_to_%d" % count)


def articles(s, count, feed_count):
    s.sql("INSERT INTO we_articles (id, mp_id, title, pic_url, url, description, status, publish_time, created_at,"
          " updated_at_millis, content) SELECT CONCAT(5000000000 + seq MOD %d, '-', seq),"
          " CONCAT('MP_WXS_', 5000000001 + seq MOD %d), '标题', 'https://p.example', 'https://u.example', '摘要', 1,"
          " 1767225600 + seq, UTC_TIMESTAMP(), 1767225600000 + seq, '<p>正文</p>' FROM seq_1_to_%d"
          % (feed_count, feed_count, count))


def allocations(s, count, feed_count):
    """Newest first by seq; what is open is open, and everything of today has ended today."""
    rare = count - 60
    s.sql("INSERT INTO we_cascade_task_allocations (id, task_id, task_name, cron_exp, node_id, feed_ids, status,"
          " dispatched_at, claimed_at, completed_at, schedule_run_id, article_count, new_article_count, created_at,"
          " updated_at, cascade_owned)"
          " SELECT CONCAT('ba-', LPAD(%d - seq, 9, '0')), %s, '任务', '', IF(state = 'pending', NULL, %s),"
          " CONCAT('[\"MP_WXS_', 5000000001 + seq MOD %d, '\"]'), %s, at, at,"
          " IF(state IN ('pending', 'claimed', 'executing'), NULL, UTC_TIMESTAMP()), 'run', 1, 1, at, at, 1"
          " FROM (SELECT seq, %s AS state, UTC_TIMESTAMP() - INTERVAL seq SECOND AS at FROM seq_1_to_%d) b"
          % (count, _rare(rare, RARE_TASK, "CONCAT('bt-', seq MOD %d)" % TASKS),
             _rare(rare, RARE_NODE, "CONCAT('bn-', seq DIV 7 MOD %d)" % NODES), feed_count,
             _rare(rare, RARE_STATUS, "state"), _state("seq MOD 1000"), count))
    s.sql("INSERT INTO cascade_open (seq, id, task, state, node, ready_at, order_at, claimed_at)"
          " SELECT 1000000000 - CAST(SUBSTR(a.id, 4) AS SIGNED), a.id, t.seq,"
          " FIELD(a.status, 'pending', 'claimed', 'executing') - 1, COALESCE(n.seq, 0), a.created_at, a.created_at,"
          " a.claimed_at FROM we_cascade_task_allocations a JOIN cascade_task t ON t.task_id = a.task_id"
          " LEFT JOIN cascade_node n ON n.node_id = a.node_id WHERE a.status IN ('pending', 'claimed', 'executing')")
    s.sql("INSERT IGNORE INTO cascade_open_feed (task, feed_id, open_seq)"
          " SELECT o.task, JSON_VALUE(a.feed_ids, '$[0]'), o.seq FROM cascade_open o"
          " JOIN we_cascade_task_allocations a ON a.id = o.id")
    s.sql("INSERT IGNORE INTO cascade_feed (feed_id, allocation_id) SELECT JSON_VALUE(feed_ids, '$[0]'), id"
          " FROM we_cascade_task_allocations WHERE id >= 'ba-%09d' AND status = 'completed'" % (count - 2 * feed_count))


def sync_logs(s, count):
    rare = count - 60
    s.sql("INSERT INTO we_cascade_sync_logs (id, node_id, operation, direction, status, data_count, extra_data, started_at,"
          " completed_at) SELECT CONCAT('bl-', LPAD(%d - seq, 9, '0')), %s,"
          " ELT(1 + seq DIV 64 MOD 4, 'claim_task', 'upload_articles', 'task_completion', 'sync_feeds'), 'push', 1, 1,"
          " '{\"task_id\": \"bt-1\"}', UTC_TIMESTAMP() - INTERVAL seq SECOND, UTC_TIMESTAMP() FROM seq_1_to_%d"
          % (count, _rare(rare, RARE_NODE, "CONCAT('bn-', seq MOD %d)" % NODES), count))


def fill(s, rows, feed_count):
    """ROWS allocations, articles and rows of the sync log, FEED_COUNT feeds."""
    nodes_and_tasks(s)
    feeds(s, feed_count)
    articles(s, rows, feed_count)
    allocations(s, rows, feed_count)
    sync_logs(s, rows)
    s.sql("ANALYZE TABLE we_cascade_task_allocations, we_cascade_sync_logs, we_articles, we_feeds, cascade_open")
