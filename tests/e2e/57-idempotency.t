#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Idempotency-Key on claims and dispatches: the same answer, whatever died or came twice."""
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import WERSS, run, wait_for  # noqa: E402
from work import clear, complete, consistent, make_feeds, make_task, status  # noqa: E402


def key(text):
    return {"Idempotency-Key": text}


def at_once(count, call):
    """COUNT calls at the same time; their results."""
    results = [None] * count
    start = threading.Barrier(count)

    def go(n):
        start.wait()
        results[n] = call()
    threads = [threading.Thread(target=go, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def dispatch(s, task, headers=None, **query):
    more = "".join("&%s=%s" % item for item in query.items())
    return s.admin().post("/dispatch-task?task_id=%s%s" % (task, more), headers=headers)


def held(s, node):
    return int(s.value("SELECT COUNT(*) FROM cascade_open o JOIN cascade_node n ON n.seq = o.node"
                       " WHERE n.node_id = '%s' AND o.state <> 0" % node.id))


def without_lease(answer):
    """The packages of an answer, but for what a renewed lease changes."""
    data = answer.data["list"] if answer.data and "list" in answer.data else [answer.data]
    return [{k: v for k, v in p.items() if k != "lease_expires_at"} for p in data if p]


def test_claim(s, t):
    """claims under a key"""
    s.stop("cascaded")  # it would reserve what the nodes are to find in the pool
    make_task(s, "tk", make_feeds(s, 10))
    dispatch(s, "tk")
    a, b = s.new_node("a"), s.new_node("b")
    first = a.post("/claim-task", headers=key("k1"))
    t.ok(first.data, "something is claimed", repr(first))
    again = a.post("/claim-task", headers=key("k1"))
    t.eq((again.status, again["message"], again["@Cache-Control"]), (200, "认领任务成功", "no-store"), "a repetition succeeds")
    t.eq(without_lease(again), without_lease(first), "with the same package")
    t.eq(held(s, a), 1, "and takes nothing more")
    status(a, first.data, "executing")
    t.eq(without_lease(a.post("/claim-task", headers=key("k1"))), without_lease(first), "also when it has begun")
    for name, call in {
            "another body": lambda: a.post("/claim-task", {"node_id": a.id}, headers=key("k1")),
            "another query": lambda: a.post("/claim-task?node_id=" + a.id, headers=key("k1")),
            "another mount": lambda: a.at(WERSS).post("/claim-task", headers=key("k1"))}.items():
        bad = call()
        t.eq((bad.status, bad["data.field"], bad["data.reason"]), (422, "Idempotency-Key", "已用于内容不同的请求"),
             name + " under the key is refused")
    t.eq(held(s, a), 1, "and takes nothing")
    other = b.post("/claim-task", headers=key("k1"))
    t.ok(other.data["allocation_id"] != first.data["allocation_id"], "another node's key is another")
    route = a.get("/pending-tasks", headers=key("k1"))
    t.ok(route.data["allocation_id"] != first.data["allocation_id"], "another route's too")
    t.ok(a.post("/claim-task", headers=key("K1")).data["allocation_id"] != first.data["allocation_id"], "case counts")
    t.eq(held(s, a), 3, "each took one")
    three = a.get("/pending-tasks?limit=3", headers=key("three"))
    t.eq(three.data["total"], 3, "several at once")
    again = a.get("/pending-tasks?limit=3", headers=key("three"))
    t.eq((again.data["total"], without_lease(again)), (3, without_lease(three)), "are repeated in their order")
    complete(a, three.data["list"][1])
    t.eq([p["allocation_id"] for p in without_lease(a.get("/pending-tasks?limit=3", headers=key("three")))],
         [three.data["list"][n]["allocation_id"] for n in (0, 2)], "what has ended is left out")
    complete(a, first.data)
    t.ok(a.post("/claim-task", headers=key("k1")).data["allocation_id"] != first.data["allocation_id"],
         "when the lease has ended the key is free")
    consistent(s, t)


def test_nothing(s, t):
    """a key that found nothing"""
    clear(s)
    node = s.new_node("leer")
    answer = node.post("/claim-task", headers=key("n"))
    t.eq((answer.status, answer.data, answer["message"]), (200, None, "暂无待处理任务"), "null, and why")
    t.ok(s.admin().get("/nodes/" + node.id)["data.last_seen_at"], "it is a sign of life")
    make_task(s, "tn", make_feeds(s, 2, first=100))
    dispatch(s, "tn")
    package = node.post("/claim-task", headers=key("n")).data
    t.ok(package, "it is not remembered: the key asks again")
    status(node, package, "failed")
    s.sql("UPDATE cascade_open SET ready_at = NOW(3)")
    later = s.value("SELECT COUNT(*) FROM cascade_idempotency WHERE ref LIKE '[[%'")
    again = node.post("/claim-task", headers=key("n"))
    t.ok(again.data and (again.data["allocation_id"], again.data["attempt"]) != (package["allocation_id"], package["attempt"]),
         "another attempt is another answer", repr(again))
    t.eq(s.value("SELECT COUNT(*) FROM cascade_idempotency WHERE ref LIKE '[[%'"), later, "in the key's one row")
    s.admin().post("/allocations/%s/cancel" % again.data["allocation_id"])
    s.sql("DELETE FROM we_message_tasks WHERE id = 'tn'")
    clear(s)
    make_task(s, "tn2", make_feeds(s, 1, first=110))
    make_task(s, "tgone", make_feeds(s, 2, first=120))
    dispatch(s, "tgone")
    dispatch(s, "tn2")
    s.sql("DELETE FROM we_message_tasks WHERE id = 'tgone'")
    got = node.post("/claim-task", headers=key("gone"))
    t.eq((got.data or {}).get("task_id"), "tn2", "work of a deleted task is passed over", repr(got))
    t.eq(node.post("/claim-task", headers=key("gone")).data["task_id"], "tn2", "and the answer is what was handed out")
    consistent(s, t)


def test_bad_keys(s, t):
    """keys that are refused"""
    clear(s)
    node, admin = s.new_node("schlecht"), s.admin()
    for bad in ("x" * 129, "a b", "a\tb", "schlüssel".encode().decode("latin-1")):
        for client, method, path in ((node, "POST", "/claim-task"), (node, "GET", "/pending-tasks"),
                                     (admin, "POST", "/dispatch-task?task_id=tn2")):
            answer = client.request(method, path, headers=key(bad))
            t.eq((answer.status, answer["data.field"]), (422, "Idempotency-Key"), "%s %s: %r" % (method, path, bad[:12]))
    for good in ("x" * 128, '"quoted"', "~!@#$%^&*()"):
        t.eq(node.post("/claim-task", headers=key(good)).status, 200, "%r is a key" % good[:12])
    t.eq(node.post("/heartbeat", headers=key("a b")).status, 200, "other routes take no notice")


def test_claim_at_once(s, t):
    """the same key from several threads"""
    clear(s)
    make_task(s, "tc", make_feeds(s, 60, first=200))
    dispatch(s, "tc")
    node = s.new_node("gleichzeitig", sync_config={"max_capacity": 1000})
    for n in range(10):
        before = held(s, node)
        answers = at_once(4, lambda: node.post("/claim-task", headers=key("c%d" % n)))
        t.eq(({a.status for a in answers}, len({a["data.allocation_id"] for a in answers}), held(s, node) - before),
             ({200}, 1, 1), "one package, round %d" % n)
    answers = at_once(4, lambda: node.get("/pending-tasks?limit=5", headers=key("list")))
    t.eq([without_lease(a) for a in answers], [without_lease(answers[0])] * 4, "a list is the same list")
    t.eq(len(without_lease(answers[0])), 5, "of five")
    consistent(s, t)


def test_claim_and_crash(s, t):
    """workers killed while they claim"""
    clear(s)
    make_task(s, "tx", make_feeds(s, 100, first=400))
    dispatch(s, "tx")
    node = s.new_node("absturz", sync_config={"max_capacity": 1000})
    stop, killed = threading.Event(), []

    def kill():
        pool = s.pid("cascade-fcgi")
        while len(killed) < 12 and not stop.wait(0.05):
            with open("/proc/%d/task/%d/children" % (pool, pool)) as file:
                for pid in file.read().split()[:1]:
                    try:
                        os.kill(int(pid), signal.SIGKILL)
                        killed.append(pid)
                    except ProcessLookupError:
                        pass
    killer = threading.Thread(target=kill)
    killer.start()
    got = []
    for n in range(60):
        answer = wait_for(lambda: (lambda a: a if a.status == 200 else None)(node.post("/claim-task", headers=key("x%d" % n))), 20)
        got.append(answer["data.allocation_id"] if answer else None)
    stop.set()
    killer.join()
    t.ok(len(killed) > 4, "%d workers were killed" % len(killed))
    t.eq((len(set(got)), None in got), (60, False), "60 keys got 60 packages")
    t.eq(held(s, node), 60, "and nothing else was taken")
    consistent(s, t)


def test_dispatch(s, t):
    """dispatches under a key"""
    clear(s)
    make_task(s, "td", make_feeds(s, 5, first=600))
    first = dispatch(s, "td", key("d1"))
    t.eq((first.status, first["data.allocations_created"], first["data.task_count"]), (200, 5, 1), "dispatched")
    again = dispatch(s, "td", key("d1"))
    t.eq((again.status, again["message"], again.data), (200, "任务分发完成", first.data), "a repetition has the same answer")
    t.eq(dispatch(s, "td")["data.skipped_open"], 5, "without the key it is another dispatch")
    for query in ({"force": 1}, {"x": 1}):
        bad = dispatch(s, "td", key("d1"), **query)
        t.eq((bad.status, bad["data.field"]), (422, "Idempotency-Key"), "another query is refused: %s" % query)
    t.eq(dispatch(s, "tk", key("d1")).status, 422, "so is another task")
    clear(s)
    t.eq(dispatch(s, "td", key("d1")).data, first.data, "also when all of it has ended")
    t.eq(s.value("SELECT COUNT(*) FROM cascade_open"), "0", "nothing is dispatched again")
    s.sql("UPDATE cascade_idempotency SET expires_at = NOW(3)")
    t.eq(dispatch(s, "td", key("d1"))["data.allocations_created"], 5, "after its time the key is free")
    t.eq(dispatch(s, "nix", key("d2")).status, 404, "an unknown task")
    make_task(s, "nix", make_feeds(s, 1, first=650))
    t.eq(dispatch(s, "nix", key("d2"))["data.allocations_created"], 1, "a failure is not remembered")
    forced = dispatch(s, "td", key("d3"), force=1)
    t.eq((forced["data.cancelled"], forced["data.allocations_created"]), (5, 5), "force")
    t.eq(dispatch(s, "td", key("d3"), force=1).data, forced.data, "is forced once")
    s.sql("UPDATE cascade_idempotency SET answer = NULL")
    once = dispatch(s, "td", key("d3"), force=1)
    t.eq((once.status, once["data.allocations_created"], once["data.skipped_open"], once["data.cancelled"]), (200, 5, 0, 0),
         "an answer that was lost with its worker is made anew from the run")
    t.eq(s.value("SELECT COUNT(*) FROM cascade_open o JOIN cascade_task t ON t.seq = o.task WHERE t.task_id = 'td'"), "5",
         "which is not dispatched twice")
    everything = s.admin().post("/dispatch-task", headers=key("all"))
    t.eq(s.admin().post("/dispatch-task", headers=key("all")).data, everything.data, "of every task")
    consistent(s, t)


def test_dispatch_at_once(s, t):
    """the same dispatch from several threads"""
    clear(s)
    make_task(s, "tp", make_feeds(s, 500, first=1000))
    for n in range(4):
        answers = at_once(4, lambda: dispatch(s, "tp", key("p%d" % n), force=1))
        t.eq([(a.status, a.data) for a in answers], [(200, answers[0].data)] * 4, "one answer, round %d" % n)
        t.eq(answers[0]["data.allocations_created"], 500, "of one dispatch")
        t.eq(s.value("SELECT COUNT(*) FROM cascade_open o JOIN cascade_task t ON t.seq = o.task WHERE t.task_id = 'tp'"), "500",
             "every feed is open once")
    consistent(s, t)


def test_what_is_kept(s, t):
    """what is stored, and for how long"""
    clear(s)
    row = s.sql("SELECT * FROM cascade_idempotency LIMIT 1")[0]
    t.eq(sorted(row), ["answer", "expires_at", "id", "ref", "request"], "no key, no principal, no request")
    t.eq((len(row["id"]), len(row["request"])), (64, 64), "only hashes")
    t.ok(int(s.value("SELECT COUNT(*) FROM cascade_idempotency")) > 4, "keys are there")
    s.sql("UPDATE cascade_idempotency SET expires_at = NOW(3) - INTERVAL 1 SECOND")
    s.start("cascaded")
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_idempotency") == "0", 10), "cascaded removes what is over")


run(test_claim, test_nothing, test_bad_keys, test_claim_at_once, test_claim_and_crash, test_dispatch, test_dispatch_at_once,
    test_what_is_kept, workers=4, env={"CASCADE_RETRY_BACKOFF": "1s"})
