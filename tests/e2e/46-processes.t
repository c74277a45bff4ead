#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The pool's processes: reload under load, draining, workers that die, get stuck or old, bad configuration,
inherited sockets, announcements to a service manager, clients that are slow.
"""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import BUILD, GUIDE, SLOW, SOURCE, WERSS, children, run, wait_for  # noqa: E402
from work import make_feeds, make_task  # noqa: E402

WORKERS = 3
PROGRAM = os.path.join(BUILD or os.path.join(SOURCE, "build"), "cascade-fcgi")
STUCK_S, DRAIN_S = 6 * SLOW, 4 * SLOW


def workers(s, manager=None):
    return children(manager or s.pid("cascade-fcgi"))


def full(s, count=WORKERS):
    return wait_for(lambda: len(workers(s)) == count, 15)


def log_of(s, since=0):
    with open(os.path.join(s.log_dir, "cascade-fcgi.log")) as file:
        file.seek(since)
        return file.read()


def log_end(s):
    return os.path.getsize(os.path.join(s.log_dir, "cascade-fcgi.log"))


class Load:
    """Requests of a user and of a node on both mounts, as fast as they are answered, until the end."""

    def __init__(self, s, threads=6):
        self.s, self.stop, self.answers, self.lock = s, threading.Event(), {}, threading.Lock()
        node = s.new_node("load")
        self.calls = [lambda: s.admin().get("/nodes"), lambda: node.post("/heartbeat"),
                      lambda: s.admin().at(WERSS).get("/allocations"), lambda: node.at(WERSS).post("/claim-task")]
        self.threads = [threading.Thread(target=self.go, args=(n,)) for n in range(threads)]

    def go(self, n):
        while not self.stop.is_set():
            try:
                answer = self.calls[n % len(self.calls)]()
                what = answer.status if answer.status == 200 else repr(answer)
            except OSError as error:
                what = repr(error)
            with self.lock:
                self.answers[what] = self.answers.get(what, 0) + 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def failed(self):
        return {what: n for what, n in self.answers.items() if what != 200}

    def count(self):
        return sum(self.answers.values())


@contextlib.contextmanager
def locked(s, table):
    """Whoever needs TABLE waits until the end."""
    holder = subprocess.Popen(["mariadb", "--no-defaults", "-S", s.db_socket, "-N", "-n", s.db_name], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    try:
        holder.stdin.write("LOCK TABLES %s WRITE; SELECT 1;\n" % table)
        holder.stdin.flush()
        holder.stdout.readline()
        yield
    finally:
        holder.communicate()


class Later:
    """A request in the background; .answer when it is done."""

    def __init__(self, call):
        self.answer = None
        self.thread = threading.Thread(target=self.go, args=(call,))
        self.thread.start()

    def go(self, call):
        self.answer = call()

    def wait(self):
        self.thread.join()
        return self.answer


def waiting(s, count=1):
    """So many requests wait for a lock."""
    return wait_for(lambda: int(s.value("SELECT COUNT(*) FROM information_schema.PROCESSLIST"
                                        " WHERE STATE LIKE 'Waiting for table%'")) >= count, 10)


def write_conf(s, text):
    with open(s.conf, "w") as file:
        file.write(text)


def read_conf(s):
    with open(s.conf) as file:
        return file.read()


def test_reload(s, t):
    """SIGHUP under load"""
    text = read_conf(s)
    with Load(s) as load:
        for n in range(8):
            # Also one before the workers of the last one are ready.
            write_conf(s, text.replace("workers = %d" % WORKERS, "workers = %d" % (WORKERS + n % 2)))
            s.kill("cascade-fcgi", signal.SIGHUP)
            time.sleep((0.4 if n % 3 else 0.02) * SLOW)
        time.sleep(0.5)
    t.eq(load.failed(), {}, "not one of %d requests fails" % load.count())
    t.ok(load.count() > 100, "there was load")
    t.ok(full(s, WORKERS + 1), "the last configuration is in force", workers(s), log_of(s)[-2000:])
    write_conf(s, text)
    s.kill("cascade-fcgi", signal.SIGHUP)
    t.ok(full(s), "as many workers as before")
    numbers = [int(n) for n in re.findall(r"generation (\d+),", log_of(s))]
    # signals that come while one waits are one; a generation that is replaced before it was ready is not named
    t.ok(numbers[0] == 1 and 2 < numbers[-1] <= 10 and numbers == sorted(set(numbers)), "generations are counted", *numbers)


def test_bad_conf(s, t):
    """SIGHUP with a configuration that is wrong"""
    text, before = read_conf(s), workers(s)
    for bad, words in (("server: {", "syntax error"), (text + "server2: { };\n", "server2"), (text.replace("workers = 3", "workers = 0"), "workers"),
                       (text.replace("/jwt_secret", "/no_such_file"), "no_such_file"), ("", "jwt_secret")):
        since = log_end(s)
        write_conf(s, bad)
        s.kill("cascade-fcgi", signal.SIGHUP)
        t.ok(wait_for(lambda: "stays as it was" in log_of(s, since)), "is refused: " + words)
        t.ok(words in log_of(s, since), "and the log says why", log_of(s, since))
        t.eq(s.admin().get("/nodes").status, 200, "the former one is in force")
        for option, code in (("--check-config", 78), ("--print-config", None)):
            done = subprocess.run([PROGRAM, "--config", s.conf, option], env=s.env, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
            t.ok(done.returncode == code or code is None, "%s: %s" % (option, code), repr(done))
    os.rename(s.conf, s.conf + ".away")
    since = log_end(s)
    s.kill("cascade-fcgi", signal.SIGHUP)
    t.ok(wait_for(lambda: "stays as it was" in log_of(s, since)), "so is one that is not there")
    t.eq(workers(s), before, "by the same workers")
    write_conf(s, text)
    since = log_end(s)
    s.kill("cascade-fcgi", signal.SIGHUP)
    t.ok(wait_for(lambda: "event=ready" in log_of(s, since)), "a good one is taken again")


def test_killed(s, t):
    """workers that are killed"""
    full(s)
    with Load(s) as load:
        for _ in range(5):
            full(s)
            victim = min(workers(s))
            os.kill(victim, signal.SIGKILL)
            t.ok(wait_for(lambda: victim not in workers(s) and len(workers(s)) == WORKERS, 15), "one is replaced")
    t.ok(load.count() > 50 and sum(load.failed().values()) <= 5 * 2, "others are served meanwhile: %r" % load.answers)
    t.ok(all(" 502 " in "x " + str(what) or "502" in str(what) for what in load.failed()), "who loses a request learns it")
    t.ok("event=worker_died" in log_of(s) and 'why="signal 9"' in log_of(s), "the log says so")


def test_stuck(s, t):
    """workers that are stuck"""
    full(s)
    since, before = log_end(s), workers(s)
    with locked(s, "we_cascade_nodes"):
        began = time.monotonic()
        stuck = Later(lambda: s.admin().get("/nodes", headers={"X-Request-Id": "stuck.1"}))
        waiting(s)
        t.eq(s.admin().post("/dispatch-task?task_id=none").status, 404, "the others serve")
        answer = stuck.wait()
        took = time.monotonic() - began
    t.eq(answer.status, 502, "a request that takes for ever is given up", repr(answer))
    t.ok(STUCK_S <= took < (STUCK_S + 5) * SLOW, "after request_timeout", took)
    t.ok(re.search(r"event=worker_stuck.*doing=/nodes request=stuck\.1", log_of(s, since)), "the log names it", log_of(s, since))
    t.ok(full(s) and len(workers(s) - before) == 1, "that worker is replaced")
    since, victim = log_end(s), None
    with locked(s, "we_cascade_nodes"):
        stuck = Later(lambda: s.admin().get("/nodes"))
        waiting(s)
        # The one whose connection waits is the one that serves it.
        for victim in workers(s):
            os.kill(victim, signal.SIGSTOP)
    t.eq(stuck.wait().status, 502, "also if it does not run at all")
    for pid in workers(s):
        os.kill(pid, signal.SIGCONT)
    t.ok("event=worker_stuck" in log_of(s, since), "it is killed")
    t.ok(full(s) and wait_for(lambda: s.admin().get("/nodes").status == 200), "and replaced")


def test_stop(s, t):
    """SIGTERM"""
    full(s)
    with locked(s, "we_cascade_nodes"):
        last = Later(lambda: s.admin().get("/nodes"))
        waiting(s)
        s.kill("cascade-fcgi", signal.SIGTERM)
        t.ok(wait_for(lambda: s.http("GET", "/healthz").status == 502), "nobody new is let in")
        t.ok(s.is_alive("cascade-fcgi"), "what is in flight is waited for")
    t.eq(last.wait().status, 200, "and finished")
    t.ok(wait_for(lambda: not s.is_alive("cascade-fcgi"), 5), "then it ends")
    s.start("cascade-fcgi")
    wait_for(lambda: s.http("GET", "/readyz").status == 200)
    since = log_end(s)
    with locked(s, "we_cascade_nodes"):
        last = Later(lambda: s.admin().get("/nodes"))
        waiting(s)
        began = time.monotonic()
        s.kill("cascade-fcgi", signal.SIGTERM)
        gone = wait_for(lambda: not s.is_alive("cascade-fcgi"), DRAIN_S + 5)
        took = time.monotonic() - began
    t.ok(gone and took >= DRAIN_S - 0.5, "but not for longer than drain_timeout", took)
    t.eq(last.wait().status, 502, "what is not finished by then fails")
    t.ok("event=drain_timeout" in log_of(s, since), "and the log says so")
    s.start("cascade-fcgi")
    t.ok(wait_for(lambda: s.http("GET", "/readyz").status == 200), "started again")


def fcgi_socket(s):
    (path,) = re.findall(r'listen = "unix:([^"]+)"', read_conf(s))
    return path


def bound(path):
    """A socket as a service manager makes it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(100)
    return listener


def serves(s):
    return wait_for(lambda: s.http("GET", "/healthz").status == 200, 20)


def ends_well(process):
    process.terminate()
    return process.wait(20 * SLOW)


def test_inherited(s, t):
    """on a socket of somebody else"""
    s.stop("cascade-fcgi")
    path = fcgi_socket(s)
    command = [PROGRAM, "--config", s.conf]
    quiet = {"env": s.env, "cwd": s.dir, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for more, children in (([], 0), (["--workers", "2"], 2)):
        listener = bound(path)
        process = subprocess.Popen([*command, *more], stdin=listener, **quiet)
        listener.close()
        t.ok(serves(s), "descriptor 0 is served, %d processes below" % children)
        t.ok(wait_for(lambda: len(workers(s, process.pid)) == children), "as many as that", workers(s, process.pid))
        t.eq(s.admin().get("/nodes").status, 200, "by the same program")
        t.eq(ends_well(process), 0, "SIGTERM ends it")
        t.ok(os.path.exists(path), "the socket is its maker's, and stays")
        os.unlink(path)
    if shutil.which("spawn-fcgi"):
        process = subprocess.Popen(["spawn-fcgi", "-n", "-s", path, "-M", "0600", "--", *command, "--workers", "2"],
                                   stdin=subprocess.DEVNULL, **quiet)
        t.ok(serves(s), "spawn-fcgi's socket is served")
        t.eq(s.admin().get("/nodes").status, 200, "by the same program")
        t.eq(ends_well(process), 0, "SIGTERM ends it")
        os.unlink(path)
    else:
        t.skip("spawn-fcgi's socket is served", "spawn-fcgi is not installed")
    listener = bound(path)
    script = 'exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
    process = subprocess.Popen(["sh", "-c", script, "sh", *command], stdin=listener, **quiet)
    listener.close()
    t.ok(serves(s), "systemd's socket is served")
    t.ok(wait_for(lambda: len(workers(s, process.pid)) == WORKERS), "by a pool as configured")
    t.eq(ends_well(process), 0, "SIGTERM ends it")
    os.unlink(path)
    s.start("cascade-fcgi")
    t.ok(serves(s), "the pool's own again")
    second = subprocess.run(command, env=s.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            text=True, timeout=20 * SLOW)
    t.ok(second.returncode == 74 and path in second.stderr, "a second pool does not steal its socket", repr(second))
    t.ok(serves(s), "which goes on")


def test_announcements(s, t):
    """what a service manager is told"""
    path = os.path.join(os.path.dirname(fcgi_socket(s)), "notify")
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(path)
    told.settimeout(20 * SLOW)

    def until(word):
        texts = []
        with contextlib.suppress(TimeoutError):
            while not any(word in text for text in texts):
                texts.append(told.recv(4096).decode())
        return "\n".join(texts)

    process = subprocess.Popen([PROGRAM, "--config", s.conf, "--listen", "unix:" + path + ".fcgi"], stdin=subprocess.DEVNULL,
                               env=dict(s.env, NOTIFY_SOCKET=path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    t.ok("READY=1" in until("READY=1"), "that it is ready")
    process.send_signal(signal.SIGHUP)
    reload = until("READY=1")
    t.ok("RELOADING=1" in reload and "MONOTONIC_USEC=" in reload, "that it reloads, and is ready again", reload)
    process.terminate()
    t.ok("STOPPING=1" in until("STOPPING=1"), "that it stops")
    t.eq(process.wait(20 * SLOW), 0, "and it does")
    told.close()
    os.unlink(path)


def slow_upload(s, node, body):
    """A connection that has sent its header and half of the body."""
    connection = s.connect()
    connection.putrequest("POST", GUIDE + "/upload-articles")
    connection.putheader("Authorization", node.authorization)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    connection.send(body[:len(body) // 2])
    return connection


def test_slow(s, t):
    """clients that are slow"""
    full(s)
    node = s.new_node("slow")
    body = b'{"allocation_id": "none", "articles": [], "filler": "%s"}' % (b"x" * 300000)
    connections = [slow_upload(s, node, body) for _ in range(4 * WORKERS)]
    began = time.monotonic()
    t.eq({node.post("/heartbeat").status for _ in range(20)}, {200}, "do not keep others waiting")
    t.ok(time.monotonic() - began < 3 * SLOW, "not even a little")
    for connection in connections:
        connection.send(body[len(body) // 2:])
    t.eq({c.getresponse().status for c in connections}, {404}, "and are served when they are done")
    for connection in connections:
        connection.close()
    # Answers that nobody reads, larger than what the system keeps for a connection: nginx takes them off the worker.
    make_task(s, "large", make_feeds(s, 200))
    s.admin().post("/dispatch-task?task_id=large")
    s.sql("UPDATE we_cascade_task_allocations SET result_summary = REPEAT('x', 40000)")
    readers = [s.connect() for _ in range(2 * WORKERS)]
    for connection in readers:
        connection.request("GET", GUIDE + "/allocations?limit=200", headers={"Authorization": s.admin().authorization})
    t.eq({node.post("/heartbeat").status for _ in range(20)}, {200}, "nor do those that do not read")
    t.eq({len(c.getresponse().read()) > 200 * 40000 for c in readers}, {True}, "who get it all in the end")
    for connection in readers:
        connection.close()


def test_long(s, t):
    """a request that takes longer than request_timeout, but goes on"""
    full(s)
    since = log_end(s)
    make_task(s, "long", make_feeds(s, 200, first=10000))
    t.eq(s.admin().post("/dispatch-task?task_id=long")["data.allocations_created"], 200, "200 allocations")
    s.sql("CREATE TRIGGER slow BEFORE DELETE ON cascade_open FOR EACH ROW DO SLEEP(%f)" % (STUCK_S * 1.3 / 200))
    began = time.monotonic()
    done = s.admin().post("/dispatch-task?task_id=long&force=1", timeout=120)
    s.sql("DROP TRIGGER slow")
    t.eq((done.status, done["data.cancelled"]), (200, 200), "are replaced one by one", repr(done))
    t.ok(time.monotonic() - began > STUCK_S, "which takes its time")
    t.ok("worker_stuck" not in log_of(s, since), "no worker was taken for stuck")


def test_gone(s, t):
    """clients that go away"""
    full(s)
    before = workers(s)
    with locked(s, "we_cascade_nodes"):
        connection = s.connect()
        connection.request("GET", GUIDE + "/nodes", headers={"Authorization": s.admin().authorization})
        waiting(s)
        connection.close()
    t.eq(s.admin().get("/nodes").status, 200, "harm nobody")
    t.eq(workers(s), before, "no worker has died")


def test_recycled(s, t):
    """workers that have served enough"""
    text = read_conf(s)
    write_conf(s, text.replace("workers =", "max_requests = 40;\n    workers ="))
    since = log_end(s)
    s.kill("cascade-fcgi", signal.SIGHUP)
    t.ok(wait_for(lambda: "event=ready" in log_of(s, since)), "max_requests is 40")
    full(s)
    seen = set()
    with Load(s) as load:
        while load.count() < 600:
            seen |= workers(s)
            time.sleep(0.05)
    t.eq(load.failed(), {}, "not one of %d requests fails" % load.count())
    t.ok(len(seen) > 2 * WORKERS, "workers come and go: %d" % len(seen))
    served = {}
    for pid in re.findall(r" pid=(\d+) event=request ", log_of(s, since)):
        served[pid] = served.get(pid, 0) + 1
    t.ok(max(served.values()) <= 46, "none serves more than its share: %r" % served)
    t.ok("event=worker_died" not in log_of(s, since), "none of them died")
    write_conf(s, text)
    s.kill("cascade-fcgi", signal.SIGHUP)
    t.ok(full(s), "as before")


run(test_reload, test_bad_conf, test_killed, test_stuck, test_stop, test_inherited, test_announcements, test_slow, test_long, test_gone,
    test_recycled, workers=WORKERS,
    env={"CASCADE_SERVER_REQUEST_TIMEOUT": "%ds" % STUCK_S, "CASCADE_SERVER_DRAIN_TIMEOUT": "%ds" % DRAIN_S})
