#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Many tasks due in the same second: every one is dispatched, none twice, none missed; and a task of many feeds that is
due with them neither delays a small one nor keeps nodes from it. make check has a fifth of the tasks and
feeds, CASCADE_TEST_FULL=1 all 5,000 and 100,000. Lateness is reported.
"""
import datetime
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402
from work import complete, consistent, make_feeds, make_task, taken  # noqa: E402

FULL = bool(os.environ.get("CASCADE_TEST_FULL"))
TASKS = 5000 if FULL else 1000
FEEDS = 100000 if FULL else 20000
PATIENCE = 600 if FULL else 240


def soon(s, seconds):
    """An expression for one second of today, that many seconds ahead."""
    at = datetime.datetime.fromisoformat(s.value("SELECT UTC_TIMESTAMP() + INTERVAL %d SECOND" % seconds))
    return "%d %d %d %d %d *" % (at.second, at.minute, at.hour, at.day, at.month)


def figures(values):
    values = sorted(values)
    return "%.1f s (median), %.1f s (99 %%), %.1f s (most)" % (
        values[len(values) // 2], values[len(values) * 99 // 100], values[-1])


def test_burst(s, t):
    """many tasks in one second"""
    make_feeds(s, TASKS)
    s.sql("INSERT INTO we_message_tasks (id, name, message_type, message_template, web_hook_url, mps_id, cron_exp, status)"
          " SELECT CONCAT('b', seq), CONCAT('任务', seq), 0, '', '', CONCAT('[{\"id\": \"MP_WXS_', 3000000000 + seq, '\"}]'),"
          " '0 0 0 1 1 *', 1 FROM seq_1_to_%d" % TASKS)
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_schedule") == str(TASKS), PATIENCE), "all are known")
    s.sql("UPDATE we_message_tasks SET cron_exp = '%s'" % soon(s, 90 if FULL else 45))
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_schedule WHERE cron_exp <> '0 0 0 1 1 *'") == str(TASKS), 40),
         "all are due in one second, which is still to come")
    t.eq(s.value("SELECT COUNT(*) FROM cascade_run"), "0", "nothing has run before it")
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_run WHERE finished_at IS NOT NULL") == str(TASKS), PATIENCE),
         "%d tasks are dispatched" % TASKS, repr(s.sql("SELECT COUNT(*), COUNT(finished_at) FROM cascade_run")))
    t.eq(s.value("SELECT COUNT(DISTINCT scheduled_for) FROM cascade_run"), "1", "for the same second")
    t.eq(s.sql("SELECT task FROM cascade_run GROUP BY task HAVING COUNT(*) <> 1"), [], "none twice")
    t.eq(s.value("SELECT COUNT(*) FROM cascade_run WHERE note IS NOT NULL OR created <> 1"), "0", "none left out")
    t.eq(s.sql("SELECT COUNT(*) AS n, COUNT(DISTINCT task_id) AS tasks, COUNT(DISTINCT feed_ids) AS feeds"
               " FROM we_cascade_task_allocations"), [{"n": str(TASKS), "tasks": str(TASKS), "feeds": str(TASKS)}],
         "an allocation each")
    for what, column in (("run", "created_at"), ("allocation", "finished_at")):
        late = [float(r["late"]) for r in s.sql("SELECT TIMESTAMPDIFF(MICROSECOND, scheduled_for, %s) / 1e6 AS late"
                                                " FROM cascade_run" % column)]
        t.note("%d tasks, lateness of the %s: %s" % (TASKS, what, figures(late)))
    consistent(s, t)


class Worker(threading.Thread):
    """A node that takes what it is given; which tasks it has seen, in order."""

    def __init__(self, s, name):
        super().__init__(daemon=True)
        self.node = s.new_node(name, sync_config={"max_capacity": 20})
        self.tasks, self.over = [], False

    def run(self):
        while not self.over:
            package = taken(self.node, 0.2)
            if package:
                self.tasks.append(package["task_id"])
                complete(self.node, package)


def test_large_and_small(s, t):
    """one task of many feeds and a small one"""
    s.sql("DELETE FROM we_message_tasks; DELETE FROM cascade_open; DELETE FROM cascade_open_feed;"
          "DELETE FROM we_cascade_task_allocations; DELETE FROM cascade_run")
    s.sql("INSERT INTO we_feeds (id, mp_name, faker_id, status) SELECT CONCAT('MP_WXS_', 6000000000 + seq), '公众号', 'MzA', 1"
          " FROM seq_1_to_%d" % FEEDS)
    make_task(s, "large", None, cron_exp="0 0 0 1 1 *")
    small = make_feeds(s, 5, first=900000)
    make_task(s, "small", small, cron_exp="0 0 0 1 1 *")
    wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_schedule WHERE task_id IN ('large', 'small')") == "2", 30)
    workers = [Worker(s, "w%d" % n) for n in range(2)]
    for worker in workers:
        worker.start()
    s.sql("UPDATE we_message_tasks SET cron_exp = '%s'" % soon(s, 12))
    finished = "SELECT finished_at FROM cascade_run r JOIN cascade_task t ON t.seq = r.task WHERE t.task_id = '%s'" \
               " AND finished_at IS NOT NULL"
    t.ok(wait_for(lambda: s.sql(finished % "small"), 60), "the small one is dispatched")
    large_created = int(s.value("SELECT created FROM cascade_run r JOIN cascade_task t ON t.seq = r.task"
                                " WHERE t.task_id = 'large'"))
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM we_cascade_task_allocations WHERE task_id = 'small'"
                                  " AND status = 'completed'") == "5", 60), "and done by nodes")
    waiting = int(s.value("SELECT COUNT(*) FROM we_cascade_task_allocations WHERE task_id = 'large' AND status = 'pending'"))
    # there may be no more of it yet than its first turn (dispatch.batch)
    t.ok(waiting > max(1000, large_created // 2), "while most of what there is of the large one waits", waiting, large_created)
    t.ok(wait_for(lambda: s.sql(finished % "large"), PATIENCE), "the large one is dispatched")
    rows = {name: s.sql("SELECT TIMESTAMPDIFF(MICROSECOND, r.scheduled_for, r.finished_at) / 1e6 AS late, r.created"
                        " FROM cascade_run r JOIN cascade_task t ON t.seq = r.task WHERE t.task_id = '%s'" % name)[0]
            for name in ("large", "small")}
    done = s.value("SELECT MAX(TIMESTAMPDIFF(SECOND, r.scheduled_for, a.completed_at)) FROM we_cascade_task_allocations a"
                   " JOIN cascade_run r ON r.run_id = a.schedule_run_id WHERE a.task_id = 'small'")
    t.note("small: dispatched after %s s, done after %s s; large (%s): dispatched after %s s; %d of it at the small one's end"
           % (rows["small"]["late"], done, rows["large"]["created"], rows["large"]["late"], large_created))
    t.ok(float(rows["small"]["late"]) < float(rows["large"]["late"]), "the small one did not wait for the large one")
    for worker in workers:
        worker.over = True
    for worker in workers:
        worker.join()
    order = [task for worker in workers for task in worker.tasks]
    t.ok("large" in order and "small" in order, "nodes worked on both")
    consistent(s, t)


run(test_burst, test_large_and_small, workers=2,
    env={"CASCADE_SCHEDULE_TIMEZONE": "UTC", "CASCADE_DISPATCH_PREFER": "1s"})
