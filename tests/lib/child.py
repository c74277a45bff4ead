# SPDX-License-Identifier: MIT
"""
Children of the end-to-end tests: cascade-node against a Stack, with an executor of tests/data/executors.

	with Child(s, "c1", concurrency=4, executor=collect(journal, 0.2, 3)) as child:
	    ...

Everything of a child lies below the stack's directory: its configuration, secret, state and log.
"""
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import threading
import urllib.parse

from cascade import BUILD, SOURCE, wait_for

PROGRAM = os.path.join(BUILD or os.path.join(SOURCE, "build"), "cascade-node")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def collect(journal, delay=0.1, articles=2, status=0, other="-"):
    """The command of the executor."""
    program = os.path.join(SOURCE, "tests", "data", "executors", "collect.sh")
    return [program, journal, str(delay), str(articles), str(status), other]


def read_journal(path):
    """[(event, feed, allocation, attempt)] of what executors have done."""
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [tuple(line.split()) for line in file.read().splitlines() if len(line.split()) == 4]


def times(journal, event):
    """How often EVENT was written of each feed of each allocation."""
    counts = {}
    for what, feed, allocation_id, _ in read_journal(journal):
        if what == event:
            counts[feed, allocation_id] = counts.get((feed, allocation_id), 0) + 1
    return counts


def journal_of(s, name):
    return os.path.join(s.dir, "journal-" + name)


def rows(s, task, **query):
    """The allocations of TASK."""
    more = "".join("&%s=%s" % item for item in query.items())
    return s.admin().get("/allocations?limit=200&task_id=%s%s" % (task, more)).data["list"]


def all_are(s, task, status="completed"):
    found = rows(s, task)
    return bool(found) and all(row["status"] == status for row in found)


class Wire:
    """A way to the parent that can be cut: a forwarder on a port of its own."""

    def __init__(self, s):
        where = urllib.parse.urlsplit(s.url)
        self.target = (where.hostname, where.port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "%s://127.0.0.1:%d" % (where.scheme, self.listener.getsockname()[1])
        self.cut_off = False
        self.open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.cut_off:
                near.close()
                continue
            try:
                far = socket.create_connection(self.target)
            except OSError:
                near.close()
                continue
            self.open |= {near, far}
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._forward, args=(a, b), daemon=True).start()

    def _forward(self, a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for end in (a, b):
            self.open.discard(end)
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def cut(self):
        self.cut_off = True
        for end in list(self.open):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def mend(self):
        self.cut_off = False

    def close(self):
        self.listener.close()
        self.cut()


class Hook:
    """A webhook that keeps what it is sent; STATUSES are its first answers, then 200."""

    def __init__(self, statuses=()):
        self.bodies = []
        waiting = list(statuses)
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                hook.bodies.append(body)
                self.send_response(waiting.pop(0) if waiting else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d/hook" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def literal(value):
    """VALUE in the configuration's syntax."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[ %s ]" % ", ".join(json.dumps(str(v)) for v in value)
    return json.dumps(value, ensure_ascii=False)


class Child:
    """One instance. NODE: an existing node's client, else one is made with this CAPACITY."""

    def __init__(self, s, name, executor, node=None, instance=None, capacity=None, url=None, **settings):
        self.s = s
        self.name = name
        self.instance = instance
        concurrency = settings.get("concurrency", 4)
        self.node = node or s.new_node(name, sync_config={"max_capacity": capacity or concurrency})
        self.dir = os.path.join(s.dir, "child-" + name)
        self.state = os.path.join(self.dir, "state")
        self.log = os.path.join(s.log_dir, "child-%s.log" % name)
        self.conf = os.path.join(self.dir, "cascade-node.conf")
        self.process = None
        os.makedirs(self.dir, mode=0o700, exist_ok=True)
        self.settings = {
            "cascade.parent_api_url": url or s.url, "cascade.api_key": self.node.key,
            "cascade.api_secret_file": os.path.join(self.dir, "secret"), "cascade.state_dir": self.state,
            "cascade.concurrency": concurrency, "cascade.task_poll_interval": 1, "cascade.heartbeat_interval": 2,
            "cascade.backoff_max": 2, "cascade.stop_timeout": 10, "executor.kind": "exec",
            "executor.command": executor, "executor.memory": 0, "log.level": "debug", "spool.free": 0,
            "message.allow": ["*", "127.0.0.0/8"]}
        if s.ca:
            self.settings["cascade.ca_file"] = s.ca
        settings.pop("concurrency", None)
        self.settings.update({name.replace("__", "."): value for name, value in settings.items()})
        with open(os.path.join(self.dir, "secret"), "w", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(self.node.secret + "\n")
        self.write_conf()

    def write_conf(self, **more):
        self.settings.update({name.replace("__", "."): value for name, value in more.items()})
        sections = {}
        for key, value in self.settings.items():
            section, name = key.split(".")
            sections.setdefault(section, []).append("\t%s = %s;\n" % (name, literal(value)))
        with open(self.conf, "w") as file:
            for section, lines in sections.items():
                file.write("%s: {\n%s};\n" % (section, "".join(lines)))

    def command(self, *arguments):
        instance = ["--instance", self.instance] if self.instance else []
        return [PROGRAM, "--config", self.conf, *instance, *arguments]

    def run(self, *arguments):
        """One of the other commands; a CompletedProcess."""
        return subprocess.run(self.command(*arguments), env=self.s.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def start(self, **env):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), env=dict(self.s.env, **env), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        return self

    def wait_running(self, seconds=20):
        return wait_for(lambda: self.status() is not None, seconds)

    def status(self):
        """The status as an object; None while it does not run."""
        done = self.run("status", "--json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def kill(self, signo=signal.SIGKILL):
        self.process.send_signal(signo)
        if signo == signal.SIGKILL:
            self.process.wait()

    def stop(self, seconds=60):
        """SIGTERM; its exit status, None where it has to be killed."""
        if self.process is None or self.process.poll() is not None:
            return self.process and self.process.returncode
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.stop()

    def log_text(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def events(self, event):
        """The log's lines of EVENT as dicts."""
        pair = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')
        lines = [{k: a or b for k, a, b in pair.findall(line)} for line in self.log_text().splitlines()]
        return [line for line in lines if line.get("event") == event]

    @property
    def directory(self):
        return os.path.join(self.state, self.instance or "default")
