# SPDX-License-Identifier: MIT
"""
The stack that is measured, what is filled into it, and the ceilings: the same machine, the same nginx
configuration, the same MariaDB with durable commits.
"""
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
from cascade import BUILD, GUIDE, Stack, wait_for  # noqa: E402

WORKERS = 8
# Nothing of what is measured is to be read from disk; the log is large enough that it never stalls.
MARIADBD = ("--innodb-buffer-pool-size=%s --innodb-log-file-size=%s --innodb-flush-log-at-trx-commit=1"
            " --max-allowed-packet=64M")
POOL_AND_LOG, HUGE_POOL_AND_LOG = ("2G", "1G"), ("12G", "4G")
BINLOG = " --log-bin=binlog --server-id=1 --sync-binlog=1 --binlog-format=ROW"
W_ROWS = 400000
R_ROWS = 100000
CLAIM = ["POST %s/claim-task" % GUIDE]


def credential(n):
    return "CN%032d" % n, "CS%032d" % n


def who(count, first=1):
    """What node number n sends as Authorization."""
    return ["AK-SK %s:%s" % credential(n) for n in range(first, first + count)]


class Lab:
    """A running stack with an empty FastCGI pool beside our own; a context manager."""

    def __init__(self, quick=False, binlog=False, workers=WORKERS, more=None, huge=False):
        self.quick, self.huge, self.workers, self.empty = quick, huge, workers, None
        mariadbd = MARIADBD % (HUGE_POOL_AND_LOG if huge else POOL_AND_LOG) + (BINLOG if binlog else "")
        env = {"CASCADE_STACK_MARIADBD": mariadbd, "CASCADE_LEASE_CLAIM": "1h",
               "CASCADE_NODE_OFFLINE_AFTER": "1h"}
        env.update(more or {})
        self.stack = Stack(workers=workers, env=env)

    def __enter__(self):
        self.stack.__enter__()
        try:
            self.port = self.stack.url.rsplit(":", 1)[1]
            self.sql = self.stack.sql
            self.start_empty()
            self.fill_ceilings()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *more):
        if self.empty:
            self.empty.terminate()
            self.empty.wait()
        self.stack.__exit__(*more)
        self.stack.remove()

    # the ceilings' own things

    def start_empty(self):
        """The empty workers, at a location that says everything that ours say."""
        path = os.path.join(self.stack.dir, "sock", "empty.sock")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(511)
        self.empty = subprocess.Popen([os.path.join(BUILD, "bench/empty"), str(self.workers)], stdin=listener)
        listener.close()
        with open(os.path.join(os.path.dirname(self.stack.conf), "nginx/snippets/cascade.conf"), "a") as file:
            file.write("location ^~ /bench/ {\n\tinclude snippets/cascade-fastcgi.conf;\n"
                       "\tlocation /bench/empty {\n\t\tfastcgi_pass unix:%s;\n\t}\n}\n" % path)
        self.stack.kill("nginx", signal.SIGHUP)
        wait_for(lambda: self.stack.http("GET", "/bench/empty").status == 200)

    def fill_ceilings(self):
        self.sql("CREATE TABLE bench_node (seq INT PRIMARY KEY, open_count INT NOT NULL, last_claim_at DATETIME(3) NULL)"
                 " ENGINE = InnoDB SELECT seq, 0 AS open_count, NULL AS last_claim_at FROM seq_1_to_1024")
        self.sql("CREATE TABLE bench_open (seq BIGINT PRIMARY KEY, state TINYINT NOT NULL, node INT NOT NULL,"
                 " ver INT NOT NULL, attempt SMALLINT UNSIGNED NOT NULL, claimed_at DATETIME(3) NULL,"
                 " lease_until DATETIME(3) NULL) ENGINE = InnoDB"
                 " SELECT seq, 0 AS state, 0 AS node, 0 AS ver, 0 AS attempt, NULL AS claimed_at, NULL AS lease_until"
                 " FROM seq_1_to_%d" % W_ROWS)
        self.sql("CREATE TABLE bench_read (id BIGINT PRIMARY KEY, name VARCHAR(100)) ENGINE = InnoDB"
                 " SELECT seq AS id, REPEAT('n', 60) AS name FROM seq_1_to_%d" % R_ROWS)

    def h(self, seconds, connections=8):
        """H: requests/s to an empty FastCGI worker."""
        return self.load(["GET /bench/empty"], seconds=seconds, connections=connections)["rate"]

    def r(self, seconds):
        """R: point reads/s by primary key, at 8 connections."""
        return self.statements("SELECT name FROM bench_read WHERE id = ?", "r", seconds, top=R_ROWS)["rate"]

    def commits(self, seconds, connections=8, rate=0):
        """Commits that each write the two rows of a claim: its node's count, and the open allocation's state,
        holder, attempt and lease, on narrow tables without any other index."""
        return self.statements(
            "UPDATE bench_node n STRAIGHT_JOIN bench_open o SET n.open_count = n.open_count + 1,"
            " n.last_claim_at = NOW(3), o.state = 1, o.node = n.seq, o.ver = o.ver + 1, o.attempt = (o.attempt + 1) MOD 1000,"
            " o.claimed_at = NOW(3), o.lease_until = NOW(3) + INTERVAL 120 SECOND"
            " WHERE n.seq = ? AND o.seq = 1 + (? MOD %d)" % W_ROWS, "ti", seconds, connections, rate=rate)

    def w(self, seconds):
        """W: such commits/s at 8 connections."""
        return self.commits(seconds)["rate"]

    # the generators

    def _run(self, program, *arguments):
        done = subprocess.run([os.path.join(BUILD, "bench", program), *map(str, arguments)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise RuntimeError("%s: %s" % (program, done.stderr))
        return json.loads(done.stdout)

    def file(self, name, lines):
        path = os.path.join(self.stack.dir, "bench-" + name)
        with open(path, "w") as file:
            file.write("\n".join(lines) + "\n")
        return path

    def statements(self, sql, letters, seconds, threads=8, first=1, top=1, rate=0):
        path = self.file("sql", [sql])
        return self._run("sql", self.stack.db_socket, self.stack.db_name, threads, seconds, letters, first, top, path, rate)

    def load(self, script, credentials=(), seconds=3, connections=8, rate=0, rotate=False, name="load"):
        arguments = ["-c", connections, "-t", seconds, "-r", rate] + (["-R"] if rotate else [])
        if credentials:
            arguments += ["-k", self.file(name + ".who", credentials)]
        got = self._run("load", *arguments, self.port, self.file(name + ".script", script))
        if got["errors"]:
            raise RuntimeError("%d of %d requests failed: %s" % (got["errors"], got["requests"], got["first_error"]))
        return got

    # what is filled in

    def reset(self):
        """Nothing but the schema, the administrator and the ceilings' tables; cascaded is not running."""
        self.cascaded(False)
        for table in ("cascade_open", "cascade_open_feed", "cascade_attempt", "cascade_allocation_article", "cascade_feed",
                      "cascade_run", "cascade_schedule", "cascade_task", "cascade_node", "cascade_quota",
                      "we_cascade_task_allocations", "we_cascade_sync_logs", "we_cascade_nodes", "we_articles",
                      "we_feeds", "we_message_tasks"):
            self.sql("TRUNCATE " + table)
        time.sleep(1.1)  # what the workers remember of the queue is a second old at most

    def cascaded(self, on):
        running = "cascaded" in self.stack.names() and self.stack.is_alive("cascaded")
        if on and not running:
            self.stack.start("cascaded")
        if running and not on:
            self.stack.stop("cascaded")

    def nodes(self, count, capacity=100000, first=1):
        """Nodes that are online, with credential(n)."""
        seq = "seq_%d_to_%d" % (first, first + count - 1)
        self.sql("INSERT INTO we_cascade_nodes (id, node_type, name, api_key, api_secret_hash, sync_config, is_active, status,"
                 " created_at, updated_at) SELECT CONCAT('node-', seq), 1, CONCAT('node ', seq), CONCAT('CN', LPAD(seq, 32, '0')),"
                 " SHA2(CONCAT('CS', LPAD(seq, 32, '0')), 256), '{\"max_capacity\": %d}', 1, 1, NOW(), NOW() FROM %s" % (capacity, seq))
        self.sql("INSERT INTO cascade_node (node_id, active, online, max_capacity, sync_config_hash, last_seen_at, last_heartbeat_at)"
                 " SELECT id, 1, 1, %d, MD5(sync_config), NOW(3), NOW(3) FROM we_cascade_nodes"
                 " WHERE id NOT IN (SELECT node_id FROM cascade_node)" % capacity)

    def feeds(self, count, first=1):
        """Feeds number FIRST to COUNT."""
        self.sql("INSERT INTO we_feeds (id, mp_name, mp_cover, mp_intro, status, created_at, updated_at, faker_id)"
                 " SELECT CONCAT('MP_WXS_', 3000000000 + seq), CONCAT('公众号', seq), CONCAT('https://img.example/', seq, '/cover.jpg'),"
                 " CONCAT('简介 ', seq), 1, NOW(), NOW(), CONCAT('MzA', 3000000000 + seq) FROM seq_%d_to_%d" % (first, count))

    def task(self, task_id, **more):
        row = {"id": task_id, "name": "任务" + task_id, "message_type": 0, "message_template": "tpl {{ x }}",
               "web_hook_url": "", "cron_exp": "0 9 1 1 *", "status": 1, "mps_id": "[]"}
        row.update(more)
        self.sql("INSERT INTO we_message_tasks (%s) VALUES (%s)" % (
            ", ".join(row), ", ".join("'%s'" % v if isinstance(v, str) else str(v) for v in row.values())))

    def dispatch(self, task_id):
        answer = self.stack.admin().request("POST", "/dispatch-task?task_id=" + task_id, timeout=3000)
        if answer.status != 200:
            raise RuntimeError(repr(answer))
        return answer["data.allocations_created"]

    def pending(self, count):
        """At least so much waiting work, in tasks over the same feeds; the dispatch assigns none of what it adds."""
        missing = count - int(self.stack.value("SELECT COUNT(*) FROM cascade_open WHERE state = 0"))
        if missing <= 0:
            return
        present = int(self.stack.value("SELECT COUNT(*) FROM we_feeds"))
        feeds = max(present, min(count, 1000000))
        if feeds > present:
            self.feeds(feeds, present + 1)
        first = int(self.stack.value("SELECT COUNT(*) FROM we_message_tasks"))
        tasks = ["t%d" % n for n in range(first, first + -(-missing // feeds))]
        for task in tasks:
            self.task(task)
        self.sql("UPDATE cascade_node SET may_reserve = 0")
        with ThreadPoolExecutor(2) as two:  # one for each core
            list(two.map(self.dispatch, tasks))
        self.sql("UPDATE cascade_node SET may_reserve = 1")

    def settled(self):
        """Waits until cascaded has assigned all that it can; how many are assigned."""
        assigned = lambda: int(self.stack.value("SELECT COALESCE(SUM(open_count), 0) FROM cascade_node"))  # noqa: E731
        last, now = -1, assigned()
        while now != last:
            time.sleep(2.5)
            last, now = now, assigned()
        return now

    def hold_snapshot(self):
        """Another connection with a snapshot that it does not let go of; to be killed."""
        holder = subprocess.Popen(["mariadb", "--no-defaults", "-S", self.stack.db_socket, "-N", "--unbuffered", self.stack.db_name],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        holder.stdin.write("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;"
                           "START TRANSACTION WITH CONSISTENT SNAPSHOT; SELECT COUNT(*) FROM cascade_node;\n")
        holder.stdin.flush()
        holder.stdout.readline()
        return holder

    # processes

    def pids(self, name):
        """The process of that name in the stack, and its children."""
        lead = self.stack.pid(name)
        with open("/proc/%d/task/%d/children" % (lead, lead)) as file:
            return [lead] + [int(p) for p in file.read().split()]

    def cpu_s(self, *names):
        total = 0
        for pid in [p for name in names for p in self.pids(name)]:
            with open("/proc/%d/stat" % pid) as file:
                fields = file.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")


def pss_kib(pid):
    with open("/proc/%d/smaps_rollup" % pid) as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def free_gib(path):
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize / 2**30


def median(values):
    return statistics.median(values)


def spread(values):
    return [round(min(values), 3), round(max(values), 3)]
