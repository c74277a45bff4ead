# SPDX-License-Identifier: MIT
"""
End-to-end tests: a stack of tools/stack (MariaDB, nginx, workers, scheduler) of its own for each
file, HTTP clients without state, SQL, and tables of requests.

	#!/usr/bin/python3
	import os, sys
	sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
	from cascade import run

	def test_nodes(s, t):
	    '''nodes'''
	    admin = s.admin()
	    made = admin.post("/nodes", {"node_type": 1, "name": "n"})
	    t.eq(made.status, 200, "a node is made")
	    s.table(t, [
	        # method, path, who, body, status, expected fields
	        ("GET", "/nodes", admin, None, 200, {"code": 200, "data.0.name": "n"}),
	        ("GET", "/nodes", None, None, 401, {"data": None}),
	    ])

	run(test_nodes, workers=2, env={"CASCADE_LEASE_CLAIM": "2s"})

Fields are compared as tap.matches() says; a path starting with @ names a response header.
Environment: CASCADE_BUILD, the build directory (make check sets it; then nothing is built here);
CASCADE_TEST_KEEP=1, leave the stack's directory in place; CASCADE_TEST_FULL=1, the long form of those
tests that have one; CASCADE_STACK_VALGRIND=1.
"""
import glob
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse
import xml.etree.ElementTree

sys.dont_write_bytecode = True
from tap import MISSING, Tap, matches, pick, show  # noqa: E402

SOURCE = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
BUILD = os.environ.get("CASCADE_BUILD")
GUIDE = "/api/v1/cascade"
WERSS = "/api/v1/wx/cascade"
SLOW = 5 if os.environ.get("CASCADE_STACK_VALGRIND") else 1
TEST_TIMEOUT_S = (3600 if os.environ.get("CASCADE_TEST_FULL") else 600) * SLOW


def wait_for(condition, seconds=10, every=0.05):
    """Polls CONDITION; its first true value, or its last one when the time is over."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value or time.monotonic() >= deadline:
            return value
        time.sleep(every)


def _is_alive(pid):
    """A zombie is dead, whoever should reap it."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid):
    """The processes that PID has started and not reaped."""
    found = subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE, text=True).stdout
    return {int(child) for child in found.split()}


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        """The parsed body; MISSING when it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return MISSING

    @property
    def data(self):
        return self["data"]

    def __getitem__(self, path):
        if path.startswith("@"):
            return self.headers.get(path[1:], MISSING)
        return pick(self.json, path)

    def __repr__(self):
        return "%d %s" % (self.status, show(self.body, 400))


class Client:
    """One principal on one mount. Every request has a connection of its own."""

    def __init__(self, stack, authorization=None, mount=GUIDE, headers=None):
        self.stack = stack
        self.authorization = authorization
        self.mount = mount
        self.headers = headers or {}

    def at(self, mount):
        """The same principal on another mount."""
        return Client(self.stack, self.authorization, mount, self.headers)

    def request(self, method, path, body=None, headers=None, timeout=60):
        """BODY: bytes and str are sent as they are, anything else but None as JSON."""
        send = dict(self.headers)
        if self.authorization:
            send["Authorization"] = self.authorization
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body, ensure_ascii=False)
            send["Content-Type"] = "application/json"
        send.update(headers or {})
        return self.stack.http(method, self.mount + path, body, send, timeout)

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body, **more)

    def put(self, path, body=None, **more):
        return self.request("PUT", path, body, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)


class Stack:
    """A running stack; a context manager. reports() is to be asked after the end."""

    def __init__(self, workers=2, env=None, tls=False, cascaded=True):
        self.options = ["--workers", str(workers)]
        self.options += ["--tls"] if tls else []
        self.options += [] if cascaded else ["--no-cascaded"]
        self.options += ["--no-build"] if BUILD else []
        # Below the build directory where there is one: the sources may be read-only (make distcheck).
        run_dir = os.path.join(BUILD or SOURCE, "run")
        os.makedirs(run_dir, exist_ok=True)
        self.dir = tempfile.mkdtemp(prefix="test-", dir=run_dir)
        self.log_dir = os.path.join(self.dir, "log")
        self.last_pids = {}
        self.env = dict(os.environ, **(env or {}))
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            report = "log_path=" + os.path.join(self.log_dir, name[:name.index("_")].lower())
            options = [self.env.get(name), report, "print_stacktrace=1"]
            self.env[name] = ":".join(o for o in options if o)

    def tool(self, *arguments):
        return subprocess.run([os.path.join(SOURCE, "tools", "stack"), *arguments, "--dir", self.dir],
                              env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        up = self.tool("up", *self.options)
        if up.returncode:
            raise RuntimeError("tools/stack up failed:\n" + up.stderr)
        self.vars = dict(line.split("=", 1) for line in up.stdout.splitlines())
        self.url = self.vars["CASCADE_URL"]
        self.token = self.vars["CASCADE_ADMIN_TOKEN"]
        self.db_socket = self.vars["CASCADE_DB_SOCKET"]
        self.db_name = self.vars["CASCADE_DB_NAME"]
        self.pid_dir = self.vars["CASCADE_PID_DIR"]
        self.conf = self.vars["CASCADE_CONF"]
        self.ca = self.vars.get("CASCADE_CA")
        return self

    def __exit__(self, *_):
        self.last_pids = {name: self.pid(name) for name in self.names()}
        down = self.tool("down")
        if down.stderr:
            print("# " + down.stderr.replace("\n", "\n# "), flush=True)

    # HTTP

    def connect(self, timeout=60):
        where = urllib.parse.urlsplit(self.url)
        if where.scheme == "https":
            context = ssl.create_default_context(cafile=self.ca)
            return http.client.HTTPSConnection(where.hostname, where.port, timeout=timeout, context=context)
        return http.client.HTTPConnection(where.hostname, where.port, timeout=timeout)

    def http(self, method, path, body=None, headers=None, timeout=60):
        """A request with exactly these headers, PATH from the root of the server."""
        if isinstance(body, str):
            body = body.encode()
        connection = self.connect(timeout * SLOW)
        try:
            try:
                connection.request(method, path, body, headers or {})
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all was sent: the answer is there to be read
            answer = connection.getresponse()
            return Response(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def anybody(self, **more):
        return Client(self, None, **more)

    def bearer(self, token, **more):
        return Client(self, "Bearer " + token, **more)

    def admin(self, **more):
        return self.bearer(self.token, **more)

    def node(self, key, secret, **more):
        return Client(self, "AK-SK %s:%s" % (key, secret), **more)

    def new_node(self, name="node", mount=GUIDE, **attributes):
        """Makes a child with a credential; its client, which has .id, .key and .secret."""
        admin = self.admin()
        made = admin.post("/nodes", {"node_type": 1, "name": name})
        if attributes:
            admin.put("/nodes/%s" % made["data.node_id"], attributes)
        credential = admin.post("/nodes/%s/credentials" % made["data.node_id"])
        client = self.node(credential["data.api_key"], credential["data.api_secret"], mount=mount)
        client.id = made["data.node_id"]
        client.key, client.secret = credential["data.api_key"], credential["data.api_secret"]
        return client

    def table(self, t, cases):
        """One check for each (method, path, client or None, body, status, fields or None)."""
        for method, path, client, body, status, fields in cases:
            client = client or self.anybody()
            answer = client.request(method, path, body)
            wrong = [] if matches(answer.status, status) else ["status: %d" % answer.status]
            for field, want in (fields or {}).items():
                if not matches(answer[field], want):
                    wrong.append("%s: got %s, want %s" % (field, show(answer[field]), show(want)))
            sent = "" if body is None else " " + show(body, 60)
            who = (client.authorization or "nobody").split()[0]
            t.ok(not wrong, "%s %s%s by %s: %s" % (method, path, sent, who, status), *wrong, repr(answer))

    # the database, the processes and the command

    def sql(self, query):
        """Rows of one statement as dicts of text; NULL is None. As anybody's, it is repeated after a deadlock."""
        command = ["mariadb", "--no-defaults", "-S", self.db_socket, "--default-character-set=utf8mb4",
                   "--xml", self.db_name]
        for _ in range(10):
            done = subprocess.run(command, input=query.encode(), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
            if b"ERROR 1213" not in done.stderr:
                break
        if done.returncode:
            raise RuntimeError("%s\n%s" % (query, done.stderr.decode()))
        if not done.stdout.strip():
            return []
        null = "{http://www.w3.org/2001/XMLSchema-instance}nil"
        return [{f.get("name"): None if f.get(null) else f.text or "" for f in row}
                for row in xml.etree.ElementTree.fromstring(done.stdout).iter("row")]

    def value(self, query):
        """The only column of the only row."""
        (row,) = self.sql(query)
        (value,) = row.values()
        return value

    def ctl(self, *arguments, stdin=""):
        """cascadectl with the stack's configuration, in English; a CompletedProcess."""
        program = os.path.join(BUILD or os.path.join(SOURCE, "build"), "cascadectl")
        env = dict(self.env, LC_ALL="en_US.UTF-8")
        return subprocess.run([program, "--config", self.conf, *arguments], env=env, input=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def names(self):
        """Of what has a pid file."""
        return sorted(f[:-len(".pid")] for f in os.listdir(self.pid_dir) if f.endswith(".pid"))

    def is_alive(self, name):
        return _is_alive(self.pid(name))

    def pid(self, name):
        with open(os.path.join(self.pid_dir, name + ".pid")) as file:
            return int(file.read())

    def kill(self, name, signo=signal.SIGKILL):
        os.kill(self.pid(name), signo)

    def stop(self, name):
        """Ends one of mariadbd, cascade-fcgi, cascaded, nginx as its operator would; start() undoes it."""
        return self._tool_must("stop", name)

    def start(self, name):
        return self._tool_must("start", name)

    def _tool_must(self, *arguments):
        done = self.tool(*arguments)
        if done.returncode:
            raise RuntimeError(done.stderr)

    # what is left of it

    def left_over(self):
        """What still runs after the end: {name: pid}."""
        return {name: pid for name, pid in self.last_pids.items() if _is_alive(pid)}

    def reports(self):
        """The reports of the sanitizers and of valgrind: {file name: text}."""
        found = {}
        for kind in ("asan", "ubsan", "valgrind"):
            for path in glob.glob(os.path.join(self.log_dir, kind + ".*")):
                with open(path, errors="replace") as file:
                    found[os.path.basename(path)] = file.read()
        return {name: text for name, text in found.items() if text.strip()}

    def log_tails(self, lines=30):
        for path in sorted(glob.glob(os.path.join(self.log_dir, "*.log"))):
            with open(path, errors="replace") as file:
                tail = file.readlines()[-lines:]
            if tail:
                yield "--- %s\n%s" % (path, "".join(tail))

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def _out_of_time(*_):
    raise TimeoutError("the test took longer than %d s" % TEST_TIMEOUT_S)


def _interrupted(*_):
    raise KeyboardInterrupt


def run(*tests, kind=Stack, **options):
    """Runs each test(stack, tap) on one stack of that KIND with its OPTIONS; never returns."""
    signal.signal(signal.SIGALRM, _out_of_time)
    signal.signal(signal.SIGTERM, _interrupted)
    signal.alarm(TEST_TIMEOUT_S)
    t = Tap()
    stack = kind(**options)
    try:
        with stack:
            for test in tests:
                t.note(test.__doc__ or test.__name__)
                try:
                    test(stack, t)
                except Exception:
                    t.died(test.__name__)
    except Exception:
        t.died("the stack")
    t.eq(stack.left_over(), {}, "every process has ended")
    reports = stack.reports()
    t.ok(not reports, "no report of a sanitizer or valgrind", *reports.values())
    if t.failed:
        for tail in stack.log_tails():
            t.note(tail)
    if t.failed or os.environ.get("CASCADE_TEST_KEEP"):
        t.note("logs are kept in " + stack.log_dir)
    else:
        stack.remove()
    t.end()
