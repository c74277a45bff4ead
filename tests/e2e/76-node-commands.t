#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The commands beside the process: check, status, import-config, --print-config."""
import http.server
import json
import os
import re
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402
from child import PROGRAM, Child, collect, free_port, journal_of  # noqa: E402

YAML = """
server:
  name: WeRSS
cascade:
  enabled: true
  node_type: ${CASCADE_NODE_TYPE:-child}
  parent_api_url: ${CASCADE_PARENT_API_URL:-https://parent.example:8001}
  api_key: "CN1234"
  api_secret: '${CASCADE_API_SECRET:-CS"quoted\\}'
  sync_interval: 300        # seconds
  heartbeat_interval: ${CASCADE_HEARTBEAT_INTERVAL:-60}
  something_else: 1
"""


class Parent(http.server.BaseHTTPRequestHandler):
    """Something that is asked instead of the parent: it answers ANSWER."""
    answer = (200, b"<html>")

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.answer[0])
        self.send_header("Content-Length", str(len(self.answer[1])))
        self.end_headers()
        self.wfile.write(self.answer[1])

    def log_message(self, *_):
        pass


def failed(done):
    return [line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAILED")]


def resident_kib(child):
    with open("/proc/%d/status" % child.process.pid) as file:
        return int(re.search(r"^VmRSS:\s+(\d+) kB", file.read(), re.M).group(1))


def test_check(s, t):
    """check says what is wrong"""
    child = Child(s, "check", collect(journal_of(s, "check")))
    done = child.run("check")
    t.eq((done.returncode, failed(done)), (0, []), "nothing is", done.stdout, done.stderr)
    t.ok(all(what in done.stdout for what in ("config", "state", "executor", "parent", "credential", "tls", "clock")),
         "each thing is named", done.stdout)
    t.ok(child.node.secret not in done.stdout + done.stderr, "the secret is not shown")
    server = http.server.HTTPServer(("127.0.0.1", 0), Parent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    elsewhere = "http://127.0.0.1:%d" % server.server_address[1]
    late = json.dumps({"code": 200, "message": "", "data": {"status": "alive", "server_time": "2020-01-01T00:00:00"}}).encode()
    for settings, answer, status, what, words in (
            ({"cascade__parent_api_url": ""}, None, 78, "config", "parent_api_url"),
            ({"cascade__parent_api_url": "https://127.0.0.1:%d" % free_port()}, None, 69, "parent", "connect"),
            ({"cascade__parent_api_url": "https://nowhere.invalid"}, None, 69, "parent", "resolve"),
            ({"cascade__api_key": "CNwrong"}, None, 77, "credential", "401"),
            ({"cascade__ca_file": ""}, None, 76, "tls", "certificate"),
            ({"cascade__parent_api_url": elsewhere}, (200, b"<html>"), 69, "parent", "none of a cascade parent"),
            ({"cascade__parent_api_url": elsewhere}, (200, late), 75, "clock", "ahead"),
            ({"executor__command": ["/nowhere/program"]}, None, 72, "executor", "/nowhere/program"),
            ({"cascade__state_dir": "/proc/nowhere"}, None, 73, "state", "/proc/nowhere")):
        before = dict(child.settings)
        child.write_conf(**settings)
        Parent.answer = answer or Parent.answer
        done = child.run("check")
        t.eq((done.returncode, failed(done)), (status, [what]), "%s: %s" % (what, words), done.stdout, done.stderr)
        t.ok(words in done.stdout, "in words", done.stdout)
        child.settings = before
    server.shutdown()


def test_status(s, t):
    """status"""
    child = Child(s, "status", collect(journal_of(s, "status")))
    t.eq(child.run("status").returncode, 69, "of an instance that never ran")
    with child:
        t.ok(wait_for(lambda: child.status() and child.status()["parent"]["answers"], 20), "of one that runs")
        text = child.run("status").stdout
        t.ok("runs as process %d" % child.process.pid in text and "answers" in text, "for people", text)
        t.eq(child.status()["attempts"], [], "as JSON")
        small = "it takes less than 12 MiB when it has nothing to do"
        with open(PROGRAM, "rb") as file:
            instrumented = b"__asan_init" in file.read() or "CASCADE_STACK_VALGRIND" in os.environ
        if instrumented:
            t.skip(small, "the build is instrumented")
        else:
            t.ok(wait_for(lambda: resident_kib(child) < 12 << 10, 15), small, resident_kib(child))
    done = child.run("status", "--json")
    t.eq((done.returncode, json.loads(done.stdout)["spool"]["attempts"]), (3, 0), "of one that does not run", done.stderr)
    t.ok("does not run" in child.run("status").stdout, "for people")


def test_arguments(s, t):
    """arguments and configuration"""
    child = Child(s, "args", collect(journal_of(s, "args")))
    for arguments, status in ((["--help"], 0), (["--version"], 0), (["version"], 0), (["--nix"], 64), (["nix"], 64),
                              (["run", "more"], 64), (["--instance", "../x"], 64), (["--config", "/nowhere"], 78)):
        t.eq(subprocess.run([PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=s.env).returncode,
             status, "cascade-node " + " ".join(arguments))
    done = child.run("--print-config")
    t.ok('api_secret = "********"' in done.stdout and child.node.secret not in done.stdout, "--print-config masks the secret")
    env = dict(s.env, CASCADE_API_KEY="CNenv", CASCADE_EXECUTOR_TIMEOUT="7m")
    text = subprocess.run(child.command("--print-config"), env=env, stdout=subprocess.PIPE, text=True).stdout
    t.ok('api_key = "CNenv"' in text and "timeout = 420" in text, "the environment overrides", text)
    for line, words in (("cascade: { nix = 1; };", ":1: cascade.nix: no such key"),
                        ("\ncascade: { concurrency = 0; };", ":2: cascade.concurrency"),
                        ('cascade: { api_secret = "a b"; };', "cascade.api_secret"),
                        ('executor: { kind = "x"; };', "should be one of: wechat exec")):
        with open(child.conf, "w") as file:
            file.write(line)
        done = child.run("--check-config")
        t.ok(done.returncode == 78 and words in done.stderr and "a b" not in done.stderr, "refused: " + line.strip(), done.stderr)


def test_import(s, t):
    """import-config"""
    path = os.path.join(s.dir, "config.yaml")
    with open(path, "w") as file:
        file.write(YAML)
    env = dict(s.env, CASCADE_HEARTBEAT_INTERVAL="45")
    done = subprocess.run([PROGRAM, "import-config", path], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    t.eq(done.returncode, 0, "of a child's config.yaml", done.stderr)
    t.ok("something_else" in done.stderr, "what has no equivalent is named", done.stderr)
    conf = os.path.join(s.dir, "imported.conf")
    with open(conf, "w") as file:
        file.write(done.stdout)
    checked = subprocess.run([PROGRAM, "--config", conf, "--print-config"], env=s.env, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    t.ok(all(line in checked.stdout for line in (
        'parent_api_url = "https://parent.example:8001"', 'api_key = "CN1234"', "sync_interval = 300",
        "heartbeat_interval = 45")), "gives a configuration", checked.stdout, checked.stderr, done.stdout)
    t.ok('api_secret = "CS\\"quoted\\\\"' in done.stdout, "quoted as it must be", done.stdout)
    for text, status in (("a: [", 65), ("other: 1\n", 65), ("cascade: 1\n", 65)):
        with open(path, "w") as file:
            file.write(text)
        done = subprocess.run([PROGRAM, "import-config", path], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        t.eq(done.returncode, status, "refused: " + text.strip(), done.stderr)
    t.eq(subprocess.run([PROGRAM, "import-config", "/nowhere"], stderr=subprocess.DEVNULL).returncode, 74, "no such file")


run(test_check, test_status, test_arguments, test_import, workers=2, tls=True)
