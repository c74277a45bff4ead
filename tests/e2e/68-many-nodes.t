#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""More nodes than cascaded looks at in a refresh: what it reads while nothing happens, and what others change is followed
all the same."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402
from work import dispatch, make_feeds, make_task  # noqa: E402

NODES = 25000  # of which a window is 10,000
REFRESH = "SELECT NOT EXISTS (SELECT 1 FROM cascade_beat"  # once each
TICK = "INSERT INTO cascade_leader"  # once each, and at the start
WAIT_S = 60


def fill(s):
    """Nodes that are silent, as if they had been there for long."""
    s.sql("INSERT INTO we_cascade_nodes (id, node_type, name, is_active, status, sync_config, created_at, updated_at)"
          " SELECT CONCAT('many-', LPAD(seq, 6, '0')), 1, 'm', 1, 0, '{}', NOW(), NOW() FROM seq_1_to_%d" % NODES)
    s.sql("INSERT INTO cascade_node (node_id, active, max_capacity, sync_config_hash)"
          " SELECT id, 1, 10, MD5('{}') FROM we_cascade_nodes WHERE id LIKE 'many-%' ORDER BY id")


def name_of(text):
    return re.sub(r"\d+", "N", text)[:240]


def seen(s):
    """{statement: (how often it was executed, the most rows that it read)} since the log was emptied."""
    found = {}
    for row in s.sql("SELECT CONVERT(sql_text USING utf8mb4) AS text, rows_examined AS n FROM mysql.slow_log"
                     " WHERE sql_text NOT LIKE '%mysql.slow_log%'"):
        times, most = found.get(name_of(row["text"]), (0, 0))
        found[name_of(row["text"])] = (times + 1, max(most, int(row["n"])))
    return found


def count(found, beginning):
    return sum(times for text, (times, _) in found.items() if text.startswith(name_of(beginning)))


def watch(s):
    """What is executed until several refreshes and more ticks than those have passed."""
    s.sql("TRUNCATE mysql.slow_log")

    def enough():
        found = seen(s)
        refreshes, ticks = count(found, REFRESH), count(found, TICK)
        return refreshes >= 3 and ticks >= refreshes + 3 and found

    return wait_for(enough, WAIT_S, 0.5)


def idle(s, t, name, readers):
    """At most READERS statements read every node, and each of them once a refresh."""
    found = watch(s)
    t.ok(found, "%s: there are ticks and refreshes" % name, seen(s))
    refreshes = count(found, REFRESH)
    every = {text: (times, most) for text, (times, most) in found.items() if most >= NODES}
    t.ok(0 < len(every) <= readers, "%s: at most %d statements read every node" % (name, readers), every)
    # one may have been under way when the log was emptied
    t.ok(all(times <= refreshes + 1 for times, _ in every.values()), "%s: each once a refresh" % name, refreshes, every)


def test_idle(s, t):
    """what a refresh and a tick read"""
    fill(s)
    s.sql("SET GLOBAL log_output = 'TABLE'; SET GLOBAL long_query_time = 0; SET GLOBAL slow_query_log = 1")
    s.start("cascaded")
    idle(s, t, "nothing is assigned", 2)
    node = s.new_node("holder", sync_config={"max_capacity": 500})
    t.eq(node.post("/heartbeat").status, 200, "a node is alive")
    make_task(s, "some", make_feeds(s, 50))
    dispatch(s, "some")

    def assigned():
        return s.value("SELECT COUNT(*) FROM cascade_open WHERE state = 0 AND node > 0") == "50"

    t.ok(wait_for(assigned, WAIT_S), "work is assigned to it")
    idle(s, t, "some is assigned", 3)
    s.sql("SET GLOBAL slow_query_log = 0")


def insert(s, *ids):
    for node_id in ids:
        s.sql("INSERT INTO we_cascade_nodes (id, node_type, name, is_active, status, sync_config, created_at, updated_at)"
              " VALUES ('%s', 1, 'w', 1, 0, '{\"max_capacity\": 7, \"feed_quota\": {\"MP_1\": 2}}', NOW(), NOW())" % node_id)


def taken_over(s, *ids):
    """Each has a row of ours with its settings, quotas too."""
    return s.value("SELECT COUNT(*) FROM cascade_node n JOIN cascade_quota q ON q.node = n.seq AND q.quota = 2"
                   " WHERE n.max_capacity = 7 AND n.active AND n.node_id IN ('%s')" % "', '".join(ids)) == str(len(ids))


def active(s, *ids):
    return s.value("SELECT COUNT(*) FROM cascade_node WHERE active AND node_id IN ('%s')" % "', '".join(ids))


def everywhere(suffix=""):
    """Ids before all others, at the edges of windows and behind all others."""
    return ["%s%s" % (node_id, suffix or "+") for node_id in
            ("aa", "many-009998", "many-009999", "many-010000", "many-010001", "many-015000", "many-020000", "zz")]


PLACES = ["many-000001", "many-009999", "many-010000", "many-010001", "many-015000", "many-020000", "many-020001",
          "many-025000"]


def test_followed(s, t):
    """what WeRSS inserts, deactivates and deletes, wherever it is"""
    insert(s, *everywhere())
    s.sql("UPDATE we_cascade_nodes SET is_active = 0 WHERE id IN ('%s')" % "', '".join(PLACES))
    s.sql("DELETE FROM we_cascade_nodes WHERE id IN ('many-000002', 'many-012000', 'many-024999')")
    t.ok(wait_for(lambda: taken_over(s, *everywhere()), WAIT_S), "what it inserts is adopted with its settings")
    t.ok(wait_for(lambda: active(s, *PLACES) == "0", WAIT_S), "what it deactivates is inactive")
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_node WHERE node_id LIKE 'many-______'") == str(NODES - 3),
                  WAIT_S), "what it deletes is forgotten")
    s.sql("UPDATE we_cascade_nodes SET is_active = 1 WHERE id IN ('%s')" % "', '".join(PLACES))
    t.ok(wait_for(lambda: active(s, *PLACES) == str(len(PLACES)), WAIT_S), "and again, as the walk begins anew")


def test_at_once(s, t):
    """cascadectl node refresh looks at all"""
    s.stop("cascaded")
    insert(s, *everywhere("-"))
    s.sql("UPDATE we_cascade_nodes SET is_active = 0 WHERE id IN ('%s')" % "', '".join(PLACES))
    done = s.ctl("node", "refresh")
    t.eq(done.returncode, 0, "node refresh", done.stderr)
    t.ok(taken_over(s, *everywhere("-")), "what was inserted is adopted at once")
    t.eq(active(s, *PLACES), "0", "what was deactivated is inactive at once")


run(test_idle, test_followed, test_at_once, workers=1, cascaded=False,
    env={"CASCADE_CASCADED_REFRESH": "2s", "CASCADE_DISPATCH_PREFER": "1h"})
