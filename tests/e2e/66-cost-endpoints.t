#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
What every endpoint costs the database, by its own counters: statements, commits (as its binary log counts them) and rows
read, with 900 allocations waiting and as many that have ended; the least of several. 66-cost.t has more of what nodes ask for.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run  # noqa: E402
from cost import Cost  # noqa: E402
from endpoints import ENDPOINTS, TOP  # noqa: E402
from work import article, claim, complete, dispatch, make_feeds, make_task, status, upload  # noqa: E402

MANY = 900
WHERE = {"api_url": "http://127.0.0.1:9", "api_key": "CNx", "api_secret": "CSx"}  # nobody is there
COUNTERS = ("Questions", "Binlog_commits", "Handler_read%")


def must(answer):
    if answer.status != 200:
        raise RuntimeError(repr(answer))
    return answer


class World:
    """What requests are about, and a new one of each where a request uses it up."""

    def __init__(self, s):
        self.s, self.admin, self.numbers = s, s.admin(), iter(range(1, 1000000))
        make_task(s, "many", make_feeds(s, MANY))
        must(dispatch(s, "many"))
        s.sql("INSERT INTO we_cascade_task_allocations (id, task_id, status, created_at, completed_at)"
              " SELECT CONCAT('old', seq), 'past', 'completed', NOW(), NOW() FROM seq_1_to_%d" % MANY)
        self.node = s.new_node("cost", sync_config={"max_capacity": 500})
        self.held = claim(self.node)
        for n in range(20):
            s.new_node("more%d" % n)

    def new_node(self):
        return must(self.admin.post("/nodes", {"node_type": 1, "name": "x"}))["data.node_id"]

    def new_task(self):
        """A task on one feed of its own."""
        n = next(self.numbers)
        return make_task(self.s, "one%d" % n, make_feeds(self.s, 1, first=5000 + n))

    def waiting(self):
        """An allocation that waits."""
        task = self.new_task()
        must(dispatch(self.s, task))
        return self.s.value("SELECT id FROM we_cascade_task_allocations WHERE task_id = '%s'" % task)

    def cancelled(self):
        id = self.waiting()
        must(self.admin.post("/allocations/%s/cancel" % id))
        return id

    def cancelled_task(self):
        return self.s.value("SELECT task_id FROM we_cascade_task_allocations WHERE id = '%s'" % self.cancelled())

    def claimed(self):
        return claim(self.node)

    def upload(self):
        package = claim(self.node)
        return package, [article(package["feeds"][0]["id"], next(self.numbers))]

    def password(self):
        self.s.sql("DELETE FROM cascade_login")
        with open(os.path.join(os.path.dirname(self.s.conf), "admin_password")) as file:
            return file.readline().strip()


def nothing():
    return None


def cases(w):
    """endpoint: request, what it needs, statements, commits, most rows read."""
    admin, node = w.admin, w.node
    return {
        ("GET", "/openapi.json"): (lambda _: admin.get("/openapi.json"), nothing, 0, 0, 0),
        ("POST", "/auth/login"): (lambda p: admin.post("/auth/login", {"username": "admin", "password": p}), w.password, 5, 3, 9),
        ("POST", "/nodes"): (lambda _: admin.post("/nodes", {"node_type": 1, "name": "n"}), nothing, 11, 1, 17),
        ("GET", "/nodes"): (lambda _: admin.get("/nodes"), nothing, 2, 0, 111),
        ("GET", "/nodes/{id}"): (lambda _: admin.get("/nodes/" + node.id), nothing, 2, 0, 7),
        ("PUT", "/nodes/{id}"): (lambda id: admin.put("/nodes/" + id, {"name": "other"}), w.new_node, 10, 1, 16),
        ("DELETE", "/nodes/{id}"): (lambda id: admin.delete("/nodes/" + id), w.new_node, 12, 2, 17),
        ("POST", "/nodes/{id}/credentials"): (lambda id: admin.post("/nodes/%s/credentials" % id), w.new_node, 5, 1, 7),
        ("POST", "/nodes/{id}/drain"): (lambda id: admin.post("/nodes/%s/drain" % id), w.new_node, 8, 1, 13),
        ("POST", "/nodes/{id}/resume"): (lambda id: admin.post("/nodes/%s/resume" % id), w.new_node, 7, 0, 10),
        ("POST", "/nodes/{id}/test-connection"): (lambda id: admin.post("/nodes/%s/test-connection" % id, WHERE), w.new_node, 2, 0, 7),
        ("GET", "/sync-logs"): (lambda _: admin.get("/sync-logs"), nothing, 3, 0, 18),
        ("POST", "/dispatch-task"): (lambda task: admin.post("/dispatch-task?task_id=" + task), w.new_task, 12, 3, 140),
        ("GET", "/allocations"): (lambda _: admin.get("/allocations"), nothing, 3, 0, 5 * MANY),
        ("GET", "/allocations/{id}"): (lambda _: admin.get("/allocations/" + w.held["allocation_id"]), nothing, 3, 0, 16),
        ("GET", "/allocations/{id}/explain"): (lambda id: admin.get("/allocations/%s/explain" % id), w.waiting, 4, 0, 363),
        ("POST", "/allocations/{id}/cancel"): (lambda id: admin.post("/allocations/%s/cancel" % id), w.waiting, 3, 1, 16),
        ("POST", "/allocations/{id}/requeue"): (lambda id: admin.post("/allocations/%s/requeue" % id), w.cancelled, 3, 1, 26),
        ("POST", "/dead-letters/requeue"): (lambda task: admin.post("/dead-letters/requeue?status=cancelled&task_id=" + task), w.cancelled_task, 4, 1, 25),
        ("GET", "/pending-allocations"): (lambda _: admin.get("/pending-allocations"), nothing, 5, 0, 5 * MANY),
        ("GET", "/feed-status"): (lambda _: admin.get("/feed-status"), nothing, 3, 0, 3 * MANY + 200),
        ("POST", "/start-scheduler"): (lambda _: admin.post("/start-scheduler"), nothing, 2, 1, 6),
        ("POST", "/stop-scheduler"): (lambda _: admin.post("/stop-scheduler"), nothing, 2, 1, 6),
        ("POST", "/reload-scheduler"): (lambda _: admin.post("/reload-scheduler"), nothing, 2, 1, 6),
        ("POST", "/heartbeat"): (lambda _: node.post("/heartbeat"), nothing, 1, 0, 6),
        ("GET", "/feeds"): (lambda _: node.get("/feeds"), nothing, 3, 1, MANY + 80),
        ("GET", "/message-tasks"): (lambda _: node.get("/message-tasks"), nothing, 3, 1, 55),
        ("POST", "/claim-task"): (lambda _: node.post("/claim-task"), nothing, 3, 1, 20),
        ("GET", "/pending-tasks"): (lambda _: node.get("/pending-tasks"), nothing, 3, 1, 20),
        ("PUT", "/task-status"): (lambda p: status(node, p, "executing"), w.claimed, 3, 1, 11),
        ("POST", "/upload-articles"): (lambda g: upload(node, *g), w.upload, 9, 1, 12),
        ("POST", "/report-completion"): (lambda p: complete(node, p), w.claimed, 3, 1, 19),
        ("POST", "/report-result"): (lambda _: node.post("/report-result", {"task_id": "many", "results": []}), nothing, 2, 1, 6),
        ("GET", "/healthz"): (lambda _: w.s.http("GET", "/healthz"), nothing, 0, 0, 0),
        ("GET", "/readyz"): (lambda _: w.s.http("GET", "/readyz"), nothing, 1, 0, 5),
        ("GET", "/metrics"): (lambda _: w.s.http("GET", "/metrics"), nothing, 1, 0, 320),
    }


def test_cost(s, t):
    """statements, commits and rows read"""
    cost = Cost(s, *COUNTERS)
    told = cases(World(s))
    t.eq(sorted(told), sorted([*ENDPOINTS, *TOP]), "every endpoint is here")
    for (method, path), (request, prepare, statements, commits, rows) in told.items():
        got = cost.of(lambda given: must(request(given)), prepare)
        t.eq(got[:2], [statements, commits], "%s %s: %d statements, %d commits" % (method, path, statements, commits))
        t.ok(got[2] <= rows, "%s %s: at most %d rows read" % (method, path, rows), "read: %d" % got[2])


run(test_cost, workers=1, cascaded=False,
    env={"CASCADE_STACK_MARIADBD": "--log-bin=binlog --server-id=1", "CASCADE_NODE_TOUCH": "60s", "CASCADE_LEASE_CLAIM": "1h"})
