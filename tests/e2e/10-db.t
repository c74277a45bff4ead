#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The database room against a real server: dbtest and migratetest, TAP programs of their own, on the
stack's MariaDB, which dbtest restarts.
"""
import os
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import BUILD, SLOW, SOURCE, run  # noqa: E402


def relay(s, t, program, *arguments):
    """Runs a TAP program and takes over what it says, its exit status and its plan."""
    path = os.path.join(BUILD or os.path.join(SOURCE, "build"), "tests", "e2e", program)
    if not os.path.exists(path):
        t.skip(program, "not built: make check builds it")
        return
    done = subprocess.run([path, *arguments], env=dict(s.env, TMPDIR=s.dir), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          timeout=120 * SLOW)
    checks = 0
    for line in done.stdout.splitlines():
        good = line.startswith("ok ")
        if good or line.startswith("not ok "):
            checks += 1
            t.ok(good, "%s: %s" % (program, line.partition(" - ")[2]))
        elif not line.startswith("1.."):
            t.note(line.removeprefix("# "))
    t.ok("1..%d" % checks in done.stdout.splitlines(), program + " ran all it had planned")
    t.eq(done.returncode, 0, program + " ended well")


def test_room(s, t):
    """connection, statements, results, transactions, errors"""
    tool = shlex.join([os.path.join(SOURCE, "tools", "stack")])
    where = shlex.quote(s.dir)
    restart = "%s stop mariadbd --dir %s && %s start mariadbd --dir %s" % (tool, where, tool, where)
    relay(s, t, "dbtest", s.db_socket, restart)


def test_migrations(s, t):
    """migrations; every statement of stmt.def on the real schema"""
    relay(s, t, "migratetest", s.db_socket, os.path.join(SOURCE, "sql"))


run(test_room, test_migrations, workers=1, cascaded=False)
