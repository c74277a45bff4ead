#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Listings and counts with 1,000,000 allocations, articles and rows of the sync log and 100,000 feeds against 10,000
of each, in two databases of one server, each behind nginx and a pool of its own, asked in turn. For
tools/check --full: it takes minutes. What makes them flat is in 61-plans.t.
"""
import itertools
import os
import random
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import bulk  # noqa: E402
from cascade import Stack, run, wait_for  # noqa: E402

LARGE, LARGE_FEEDS = 1000000, 100000
SMALL, SMALL_FEEDS = 10000, 10000
ROUNDS, MOST = 41, 1.5
# A total is exact to 10,000, so a filter costs what it matches, up to there. Of what is rare both databases
# have as much: those pages cost the same. What is frequent costs no more than the listing without a filter.
RARE = ("task_id=" + bulk.RARE_TASK, "node_id=" + bulk.RARE_NODE, "status=" + bulk.RARE_STATUS)
OFTEN = ("task_id=" + bulk.TASK, "node_id=" + bulk.NODE, "status=completed")


def filters(values):
    """Every combination, none of them first."""
    return ["&".join(f) for n in range(len(values) + 1) for f in itertools.combinations(values, n)]


SAME = ["/pending-allocations", "/feed-status", "/feed-status?limit=200", "/feed-status?offset=1000",
        "/feed-status?feed_id=MP_WXS_5000000007", "/sync-logs", "/sync-logs?offset=1000",
        "/sync-logs?node_id=" + bulk.RARE_NODE, "/sync-logs?operation=claim_task&node_id=" + bulk.RARE_NODE,
        "/allocations?limit=200", "/allocations?offset=1000"] + ["/allocations?" + f for f in filters(RARE)]
BOUNDED = [("/sync-logs", ["/sync-logs?" + f for f in filters(("node_id=" + bulk.NODE, "operation=claim_task"))[1:]]),
           ("/allocations", ["/allocations?" + f for f in filters(OFTEN)[1:] + ["status=pending"]])]


def small_stack(s):
    """A second stack, whose database is one more of S's server."""
    s.sql("CREATE DATABASE cascade_small CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;"
          "GRANT ALL ON cascade_small.* TO 'cascade'@localhost")
    password = os.path.join(os.path.dirname(s.conf), "db_password")
    return Stack(workers=1, cascaded=False, env={"CASCADE_DATABASE_SOCKET": s.db_socket,
                                                 "CASCADE_DATABASE_NAME": "cascade_small",
                                                 "CASCADE_DATABASE_PASSWORD_FILE": password})


def count(stack):
    """Lets cascaded count once what is not counted on request."""
    stack.start("cascaded")
    wait_for(lambda: stack.value("SELECT COUNT(*) FROM cascade_gauge WHERE name = 'ended_today'"
                                 " AND counted_at > UTC_TIMESTAMP() - INTERVAL 1 MINUTE AND value > 0"), 60)
    stack.stop("cascaded")


def took(client, path):
    """Milliseconds."""
    began = time.perf_counter()
    answer = client.get(path)
    ended = time.perf_counter()
    if answer.status != 200:
        raise RuntimeError(repr(answer))
    return (ended - began) * 1000


def behind(client, rows):
    """The page of feeds that follows ROWS others."""
    answer = client.get("/feed-status?limit=1&offset=%d" % (rows - 1))
    return "/feed-status?cursor=" + answer["data.page.next_cursor"]


def compare(t, name, small, large):
    """Two requests (client, path) in turn, in random order, so that what else the machine does hits both."""
    times = {small: [], large: []}
    for way in (small, large) * 3:
        took(*way)
    for _ in range(ROUNDS):
        for way in random.sample((small, large), 2):
            times[way].append(took(*way))
    a, b = (statistics.median(times[way]) for way in (small, large))
    t.ok(b <= a * MOST, "%s: %.2f times (%.1f ms, %.1f ms; the fastest %.1f ms, %.1f ms)"
         % (name, b / a, a, b, min(times[small]), min(times[large])))


def test_flat(s, t):
    """each within 1.5 times"""
    s.sql("SET GLOBAL innodb_buffer_pool_size = 2147483648")
    with small_stack(s) as small:
        small.db_socket, small.db_name = s.db_socket, "cascade_small"
        for stack, rows, feeds in ((small, SMALL, SMALL_FEEDS), (s, LARGE, LARGE_FEEDS)):
            began = time.monotonic()
            bulk.fill(stack, rows, feeds)
            t.eq(stack.value("SELECT COUNT(*) FROM we_cascade_task_allocations"), str(rows),
                 "%d rows in %d s" % (rows, time.monotonic() - began))
            count(stack)
        for path in SAME:
            compare(t, path, (small.admin(), path), (s.admin(), path))
        for whole, paths in BOUNDED:
            for path in paths:
                compare(t, "%s against %s" % (path, whole), (s.admin(), whole), (s.admin(), path))
        for rest in (1000, 5000, 9000):
            ways = [(stack.admin(), behind(stack.admin(), rest)) for stack in (small, s)]
            compare(t, "/feed-status behind %d" % rest, *ways)
    small.remove()


run(test_flat, workers=1, cascaded=False)
