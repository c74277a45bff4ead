# SPDX-License-Identifier: MIT
"""
The benchmarks: each takes a Lab and returns its figures. A ceiling is measured right before what it is a
ceiling of, in the same repetition, so that what else the machine does meets both; ratios are medians.
"""
import socket
import threading
import time

from lab import CLAIM, GUIDE, Lab, credential, median, pss_kib, spread, who
from cascade import wait_for
from child import Child

HEARTBEAT = ["POST %s/heartbeat" % GUIDE]
BATCH = ["GET %s/pending-tasks?limit=10" % GUIDE]
ARTICLE = ('{"id": "$N-%d", "mp_id": "$F", "title": "标题 $N", "pic_url": "https://p.example/$N", '
           '"url": "https://mp.example/s/$N", "description": "摘要", "content": "%s", "publish_time": 1767225600}')
CONTENT = "<p>正文 of some length, in two scripts</p>" * 420  # 20 KB
# What a dispatch writes of the row that is shown.
SHOWN = ("id, task_id, task_name, cron_exp, node_id, feed_ids, status, dispatched_at, schedule_run_id, article_count,"
         " new_article_count, created_at, updated_at, cascade_owned")
UPSERT = ("INSERT INTO bench_articles (id, mp_id, title, pic_url, url, description, content, status, publish_time,"
          " created_at, updated_at, updated_at_millis) VALUES %s ON DUPLICATE KEY UPDATE title = VALUES(title),"
          " content = VALUES(content), updated_at = VALUES(updated_at), updated_at_millis = VALUES(updated_at_millis)")


def combine(parts, unit, target, **more):
    """Medians of the repetitions' (rate, ceiling), and of their ratios."""
    ratios = [rate / ceiling for rate, ceiling in parts]
    return dict({"rate": round(median([p[0] for p in parts]), 1), "ceiling": round(median([p[1] for p in parts]), 1),
                 "ratio": round(median(ratios), 3), "spread": spread(ratios), "repetitions": len(parts),
                 "unit": unit, "target": target}, **more)


def pick(lab, quick, full):
    return quick if lab.quick else full


def composed(lab, h=1, w=0, r=0):
    """Requests/s that so many of each add up to."""
    s = pick(lab, 1, 3)
    return 1 / (h / lab.h(s) + (w / lab.w(s) if w else 0) + (r / lab.r(s) if r else 0))


def repeat(lab, one, quick=3, full=7):
    return [one() for _ in range(pick(lab, quick, full))]


def claim_parts(lab, quick=3, full=7):
    def one():
        ceiling = composed(lab, 1, 1, 2)
        return lab.load(CLAIM, who(8), pick(lab, 1.5, 4))["rate"], ceiling
    return repeat(lab, one, quick, full)


def claim(lab):
    """claim-task by 8 nodes: out of the pool, and (beside it) of work that cascaded has assigned."""
    lab.reset()
    lab.nodes(8)
    lab.pending(pick(lab, 20000, 200000))
    pool = combine(claim_parts(lab), "claims/s", 0.75)
    lab.cascaded(True)
    lab.settled()
    own = combine(claim_parts(lab, 1, 3), "claims/s", 0.75)
    return dict(pool, pending=pick(lab, 20000, 200000), assigned={k: own[k] for k in ("rate", "ceiling", "ratio", "spread")})


def batch_claim(lab):
    """pending-tasks?limit=10: allocations/s, as multiples of claim-task's."""
    lab.reset()
    lab.nodes(8)
    lab.pending(pick(lab, 30000, 200000))

    def one():
        single = lab.load(CLAIM, who(8), pick(lab, 1.5, 3))["rate"]
        got = lab.load(BATCH, who(8), pick(lab, 1.5, 3))
        return got["packages"] / got["seconds"], single
    return combine(repeat(lab, one, 3, 5), "allocations/s", 3)


def heartbeat(lab):
    """Heartbeats within 10 s of the last: nothing is written."""
    lab.reset()
    lab.nodes(8)

    def one():
        ceiling = composed(lab, 1, 0, 1)
        return lab.load(HEARTBEAT, who(8), pick(lab, 1.5, 4))["rate"], ceiling
    return combine(repeat(lab, one), "requests/s", 0.7)


def upload_line(articles):
    body = ", ".join(ARTICLE % (n, CONTENT) for n in range(articles))
    return 'POST %s/upload-articles {"allocation_id": "$A", "articles": [%s]}' % (GUIDE, body)


def upsert(articles):
    row = ("('$N-%d', 'MP_WXS_1', '标题 $N', 'https://p.example/$N', 'https://mp.example/s/$N', '摘要', '%s', 1, 1767225600,"
           " NOW(), NOW(), 1767225600000)")
    return UPSERT % ", ".join(row % (n, CONTENT) for n in range(articles))


def u(lab, articles, connections, seconds):
    """U: rows/s of a raw multi-row upsert of the same articles."""
    lab.sql("CREATE TABLE IF NOT EXISTS bench_articles LIKE we_articles")
    first = time.time_ns() // 1000
    return lab.statements(upsert(articles), "", seconds, connections, first=first)["rate"] * articles


def life(lab):
    """Claim, executing, 5 articles of 20 KB, completion. Composed: 4 H, 8 R, 3 W and 5 rows of U."""
    lab.reset()
    lab.nodes(8)
    lab.pending(pick(lab, 20000, 100000))
    script = CLAIM + ['PUT %s/task-status {"allocation_id": "$A", "status": "executing"}' % GUIDE, upload_line(5),
                      'POST %s/report-completion {"allocation_id": "$A", "task_id": "$T", "article_count": 5,'
                      ' "results": [{"feed_id": "$F", "success": true}]}' % GUIDE]

    def one():
        ceiling = 1 / (1 / composed(lab, 4, 3, 8) + 5 / u(lab, 5, 8, pick(lab, 1, 3)))
        return lab.load(script, who(8), pick(lab, 2, 5))["rate"] / 4, ceiling
    return combine(repeat(lab, one, 3, 5), "lives/s", 0.6)


def upload(lab):
    """upload-articles, 100 articles of 20 KB, at 4 connections (a claim now and then, not counted)."""
    lab.reset()
    lab.nodes(4)
    lab.pending(1000)
    script = CLAIM + [upload_line(100)] * 5

    def one():
        ceiling = u(lab, 100, 4, pick(lab, 2, 5))
        got = lab.load(script, who(4), pick(lab, 2, 5), connections=4)
        return 100 * (got["requests"] - got["packages"]) / got["seconds"], ceiling
    return combine(repeat(lab, one, 3, 5), "articles/s", 0.7)


def dispatch(lab):
    """A dispatch to every feed until all of it is assigned, against one INSERT … SELECT of the rows shown."""
    # nobody claims: what is assigned stays so for the whole of it
    with Lab(lab.quick, more={"CASCADE_DISPATCH_PREFER": "1h"}) as one:
        return dispatch_in(one)


def dispatch_in(lab):
    """The same in a stack of its own."""
    feeds, nodes, capacity = pick(lab, (20000, 100, 200), (1000000, 1000, 1000))
    open_count = "SELECT COALESCE(SUM(open_count), 0) FROM cascade_node"

    def one():
        lab.reset()
        lab.nodes(nodes, capacity)
        lab.feeds(feeds)
        lab.task("all")
        lab.cascaded(True)
        begin = time.monotonic()
        lab.dispatch("all")
        answered = time.monotonic() - begin
        if not wait_for(lambda: int(lab.stack.value(open_count)) == feeds, 1800, 0.1):
            raise RuntimeError("not all of it was assigned")
        took = time.monotonic() - begin
        lab.cascaded(False)
        lab.sql("CREATE OR REPLACE TABLE bench_shown LIKE we_cascade_task_allocations")
        begin = time.monotonic()
        lab.sql("INSERT INTO bench_shown (%s) SELECT %s FROM we_cascade_task_allocations ORDER BY id" % (SHOWN, SHOWN))
        return feeds / took, feeds / (time.monotonic() - begin), answered
    parts = repeat(lab, one, 1, 3)
    lab.sql("DROP TABLE bench_shown")
    return combine([p[:2] for p in parts], "allocations/s", 0.5, feeds=feeds, nodes=nodes,
                   answered_s=round(median([p[2] for p in parts]), 2))


def feeds(lab):
    """GET /feeds with 10,000 feeds, against the same bytes from one CONCAT query."""
    lab.reset()
    lab.nodes(4)
    lab.feeds(10000)
    query = ("SELECT CONCAT('{\"id\":\"', id, '\",\"faker_id\":\"', faker_id, '\",\"mp_name\":\"', mp_name, '\",\"mp_cover\":\"', mp_cover,"
             " '\",\"mp_intro\":\"', mp_intro, '\",\"status\":', status, ',\"created_at\":\"', DATE_FORMAT(created_at, '%Y-%m-%dT%T'),"
             " '\",\"updated_at\":\"', DATE_FORMAT(updated_at, '%Y-%m-%dT%T'), '\"}') FROM we_feeds WHERE status = 1 ORDER BY id")

    def one():
        ceiling = lab.statements(query, "", pick(lab, 2, 4), 4)["rate"]
        return lab.load(["GET %s/feeds" % GUIDE], who(4), pick(lab, 2, 4), connections=4)["rate"], ceiling
    return combine(repeat(lab, one, 3, 5), "requests/s", 0.8)


def latency(lab):
    """Claims due at fixed times, at 70 % of the highest sustained rate: 99 % within 5 times the median. Beside it, in
    the same run and at the same rate, the narrowest commit that there is (W)."""
    lab.reset()
    lab.nodes(64)
    lab.pending(pick(lab, 30000, 300000))
    # what can be had for a while: purging what claims leave behind is part of it, and the first seconds are without it
    highest = median([lab.load(CLAIM, who(64), pick(lab, 2, 20), connections=16)["rate"] for _ in range(4)][1:])
    runs, commits = [], []
    for _ in range(pick(lab, 2, 5)):
        commits.append(lab.commits(pick(lab, 2, 10), 64, 0.7 * highest))
        runs.append(lab.load(CLAIM, who(64), pick(lab, 4, 20), connections=64, rate=0.7 * highest))

    def tails(of):
        return [run["p99_ms"] / run["p50_ms"] for run in of]
    return {"rate": round(0.7 * highest, 1), "ceiling": round(highest, 1), "ratio": round(median(tails(runs)), 2),
            "spread": spread(tails(runs)), "repetitions": len(runs), "unit": "claims/s", "target": -5,
            "p50_ms": median([r["p50_ms"] for r in runs]), "p99_ms": median([r["p99_ms"] for r in runs]),
            "max_ms": max(r["max_ms"] for r in runs), "commit_ratio": round(median(tails(commits)), 2),
            "commit_p50_ms": median([r["p50_ms"] for r in commits]), "commit_p99_ms": median([r["p99_ms"] for r in commits]),
            "commit_max_ms": max(r["max_ms"] for r in commits)}


def relative_cost(lab, pending=None):
    """What a claim takes, in units of its composed ceiling at that time; where PENDING is given, with at least so much waiting."""
    def one():
        if pending is not None:
            lab.pending(pending)
        return claim_parts(lab, 1, 1)[0]
    return median([ceiling / rate for rate, ceiling in repeat(lab, one, 1, 5)])


def finished(lab, first, last):
    """Rows number FIRST to LAST of work that has ended, in the order in which history comes."""
    for begin in range(first, last + 1, 1000000):
        lab.sql("INSERT INTO we_cascade_task_allocations (id, task_id, task_name, node_id, feed_ids, status, dispatched_at,"
                " completed_at, schedule_run_id, article_count, new_article_count, created_at, updated_at, cascade_owned)"
                " SELECT CONCAT('01900000-0000-7000-8000-', LPAD(HEX(seq), 12, '0')), 't0', '任务', CONCAT('node-', 1 + seq MOD 8),"
                " '[\"MP_WXS_1\"]', 'completed', t, t, 'old', 5, 5, t, t, 1"
                " FROM (SELECT seq, NOW() - INTERVAL 100000000 - seq SECOND AS t FROM seq_%d_to_%d) AS ended"
                % (begin, min(last, begin + 999999)))


def growth(lab):
    """A claim's cost as work waits in growing number, and as what has ended does, against 10,000 waiting alone."""
    least = 10000
    waiting, ended = pick(lab, ([50000], [50000]), ([1000000, 5000000], [10000000]))
    if lab.huge:
        waiting, ended = waiting + [20000000], ended + [50000000]
    lab.reset()
    lab.nodes(8)
    alone = relative_cost(lab, least)
    pending = {str(count): round(relative_cost(lab, count) / alone, 3) for count in waiting}
    lab.reset()
    lab.nodes(8)
    beside = {}
    for first, last in zip([1] + [count + 1 for count in ended], ended):
        finished(lab, first, last)
        beside[str(last)] = round(relative_cost(lab, least) / alone, 3)
    return {"rate": None, "ceiling": None, "ratio": max([*pending.values(), *beside.values()]), "unit": "times the cost",
            "target": -1.25, "cost_alone": round(alone, 3), "pending": pending, "finished": beside}


def snapshot(lab):
    """A claim's cost after many claims while another connection holds a snapshot open."""
    lab.reset()
    lab.nodes(8)
    lab.pending(pick(lab, 40000, 2000000))
    before = relative_cost(lab)
    holder = lab.hold_snapshot()
    try:
        held = lab.load(CLAIM, who(8), pick(lab, 8, 600))["packages"]
        after = relative_cost(lab)
    finally:
        holder.kill()
        holder.wait()
    return {"rate": None, "ceiling": None, "ratio": round(after / before, 3), "unit": "times the cost", "target": -1.5,
            "claims_under_snapshot": held}


def nodes(lab):
    """Heartbeats of many nodes, each once a minute, while others claim: CPU, and what the claims feel."""
    count, seconds = pick(lab, (10000, 8), (100000, 300))
    rate = count / 60
    lab.reset()
    lab.nodes(count + 8)
    lab.pending(pick(lab, 20000, 200000))
    # these do not claim, so nothing is reserved for them
    lab.sql("UPDATE cascade_node SET may_reserve = SUBSTR(node_id, 6) > %d" % count)
    parts = ("mariadbd", "cascade-fcgi", "nginx", "cascaded")
    lab.cascaded(True)
    lab.settled()
    pace = 100  # claims/s, the same with and without

    def claims():
        return lab.load(CLAIM, who(8, count + 1), seconds, connections=8, rate=pace, name="claims")
    alone = claims()
    got = {}
    beside = threading.Thread(target=lambda: got.update(lab.load(HEARTBEAT, who(count), seconds, 64, rate, rotate=True)))
    cpu, begin = lab.cpu_s(*parts), time.monotonic()
    beside.start()
    together = claims()
    beside.join()
    used = (lab.cpu_s(*parts) - cpu) / (time.monotonic() - begin)
    return {"rate": round(got["rate"], 1), "ceiling": round(rate, 1), "ratio": round(used / 2, 3), "unit": "heartbeats/s; of 2 cores",
            "target": -0.4, "nodes": count, "seconds": seconds, "claims_per_s": pace, "heartbeat_p99_ms": got["p99_ms"],
            "claim_p99_ms": together["p99_ms"], "claim_p99_alone_ms": alone["p99_ms"],
            "claim_p99_times": round(together["p99_ms"] / alone["p99_ms"], 2)}


def memory(lab):
    """A worker's PSS after many requests; cascaded with much open."""
    requests, pending = pick(lab, (20000, 50000), (1000000, 1000000))
    with Lab(lab.quick, workers=1, more={"CASCADE_SERVER_MAX_REQUESTS": "0"}) as one:
        one.nodes(1000, capacity=pick(lab, 50, 1000))
        one.pending(pending)
        begin = time.monotonic()
        done = one.load(HEARTBEAT * 8 + CLAIM, who(64), 2, connections=8)["requests"]
        while done < requests and time.monotonic() - begin < 3600:
            done += one.load(HEARTBEAT * 8 + CLAIM, who(64), 5, connections=8)["requests"]
        worker = max(pss_kib(p) for p in one.pids("cascade-fcgi")[1:])
        one.settled()
        daemon = pss_kib(one.pids("cascaded")[0])
    return {"rate": None, "ceiling": 8192, "ratio": round(worker / 8192, 3), "unit": "of 8 MiB", "target": -1, "worker_kib": worker,
            "requests": done, "cascaded_kib": daemon, "cascaded_of_32_mib": round(daemon / 32768, 3), "pending": pending}


def drip(port, stop):
    """A client that sends a byte a second."""
    text = b"POST %s/heartbeat HTTP/1.1\r\nHost: slow\r\nAuthorization: AK-SK %s:%s\r\nContent-Length: 1000\r\n\r\n" % (
        GUIDE.encode(), *(part.encode() for part in credential(1)))
    with socket.create_connection(("127.0.0.1", int(port))) as s:
        for byte in text:
            s.sendall(bytes([byte]))
            if stop.wait(1):
                return


def slow_clients(lab):
    """64 workers, and a slow client for each, against 8 workers and none."""
    lab.reset()
    lab.nodes(8)
    with Lab(lab.quick, workers=64) as many:
        many.nodes(8)
        stop = threading.Event()
        clients = [threading.Thread(target=drip, args=(many.port, stop)) for _ in range(64)]
        for client in clients:
            client.start()

        def one():
            few = lab.load(HEARTBEAT, who(8), pick(lab, 1.5, 4))["rate"]
            return many.load(HEARTBEAT, who(8), pick(lab, 1.5, 4))["rate"], few
        try:
            return combine(repeat(lab, one, 3, 7), "requests/s", 0.9)
        finally:
            stop.set()
            for client in clients:
                client.join()


def pause_s(lab, seconds):
    """The longest time between two beats of cascaded, beyond its tick."""
    longest, last, since = 0, None, time.monotonic()
    end = since + seconds
    while time.monotonic() < end:
        beat = lab.stack.value("SELECT beat_at FROM cascade_beat WHERE name = 'cascaded'")
        now = time.monotonic()
        if beat != last:
            last, since = beat, now
        longest = max(longest, now - since)
        time.sleep(0.02)
    return max(0, longest - 1)


def loop(lab):
    """cascaded's longest pause and its CPU, idle and with much to look after; tasks due at one moment."""
    count, tasks, pending, seconds = pick(lab, (1000, 500, 20000, 5), (10000, 5000, 1000000, 60))
    lab.reset()
    lab.cascaded(True)

    def watch():
        cpu, begin = lab.cpu_s("cascaded"), time.monotonic()
        pause = pause_s(lab, seconds)
        return round(pause, 2), round((lab.cpu_s("cascaded") - cpu) / (time.monotonic() - begin), 3)
    idle = watch()
    lab.cascaded(False)
    lab.nodes(count, 10)
    lab.pending(pending)
    lab.sql("INSERT INTO we_message_tasks (id, name, mps_id, cron_exp, status) SELECT CONCAT('due-', seq), CONCAT('due ', seq),"
            " CONCAT('[{\"id\": \"MP_WXS_', 3000000000 + seq, '\"}]'), '0 0 1 1 *', 1 FROM seq_1_to_%d" % tasks)
    lab.cascaded(True)
    lab.settled()
    busy = watch()
    at = int(time.time()) + pick(lab, 6, 20)
    lab.sql("UPDATE we_message_tasks SET cron_exp = '%s * * *' WHERE id LIKE 'due-%%'" % time.strftime("%S %M %H", time.gmtime(at)))
    lab.stack.admin().post("/reload-scheduler")
    made = "SELECT COUNT(*) FROM cascade_run WHERE run_id LIKE 'cron_%' AND finished_at IS NOT NULL"
    all_made = wait_for(lambda: int(lab.stack.value(made)) >= tasks, 300, 0.2)
    late = [float(r["late"]) for r in lab.sql("SELECT TIMESTAMPDIFF(MICROSECOND, scheduled_for, created_at) / 1e6 AS late"
                                              " FROM cascade_run WHERE scheduled_for IS NOT NULL ORDER BY 1")]
    return {"rate": None, "ceiling": None, "ratio": busy[0], "unit": "s of pause", "target": None, "pause_idle_s": idle[0],
            "cpu_idle": idle[1], "pause_busy_s": busy[0], "cpu_busy": busy[1], "nodes": count, "tasks": tasks, "open": pending,
            "due_at_once": len(late), "all_made": bool(all_made), "late_median_s": round(median(late), 2) if late else None,
            "late_max_s": round(max(late), 2) if late else None}


def connected(port):
    """Connections to PORT of this machine."""
    with open("/proc/net/tcp") as file:
        lines = [line.split() for line in file.readlines()[1:]]
    return sum(f[1].endswith(":%04X" % int(port)) and f[3] == "01" for f in lines)


def idle_nodes(lab):
    """Children with nothing to do, each heartbeating and asking once a minute: what they cost the parent."""
    count, real, seconds = pick(lab, (1000, 20, 25), (1000, 50, 300))
    played, parts = count - real, ("mariadbd", "cascade-fcgi", "nginx", "cascaded")
    lab.reset()
    lab.nodes(played, 10)
    lab.cascaded(True)

    def kib():
        return sum(pss_kib(p) for part in ("cascade-fcgi", "nginx") for p in lab.pids(part))

    def used(work):
        cpu, begin = {part: lab.cpu_s(part) for part in parts}, time.monotonic()
        got, took = work(), time.monotonic() - begin
        return got, {part: round((lab.cpu_s(part) - cpu[part]) / took, 4) for part in parts}
    _, alone = used(lambda: time.sleep(pick(lab, 10, 60)))
    memory_alone = kib()
    children = [Child(lab.stack, "idle-%d" % n, ["/bin/true"], concurrency=10, cascade__heartbeat_interval=60,
                      cascade__task_poll_interval=60, log__level="info") for n in range(real)]
    open_connections = []
    try:
        for child in children:
            child.start()
        if not all([child.wait_running(60) for child in children]):
            raise RuntimeError("a child does not run")
        watch = threading.Timer(seconds * 0.9, lambda: open_connections.append((connected(lab.port), kib())))
        watch.start()
        got, busy = used(lambda: lab.load(HEARTBEAT + BATCH, who(played), seconds, played, 2 * played / 60))
        watch.join()
        resident = median([pss_kib(child.process.pid) for child in children])
    finally:
        for child in children:
            child.stop()
    total = sum(busy.values()) - sum(alone.values())
    (connections, memory_busy), = open_connections
    return {"rate": round(got["rate"] + 2 * real / 60, 1), "ceiling": None, "ratio": round(total / 2, 4), "unit": "requests/s; of 2 cores",
            "target": None, "nodes": count, "real": real, "seconds": seconds, "connections": connections, "p50_ms": got["p50_ms"],
            "p99_ms": got["p99_ms"], "cpu": busy, "cpu_alone": alone, "memory_kib": memory_busy, "memory_alone_kib": memory_alone,
            "child_pss_kib": resident}


ALL = (claim, batch_claim, heartbeat, life, dispatch, upload, feeds, latency, growth, snapshot, nodes, memory, slow_clients, loop, idle_nodes)
# Run on a second stack as well, whose server writes a binary log.
WITH_BINLOG = (claim, life, upload)
