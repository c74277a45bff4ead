#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cascadectl check: every check is provoked once, says so and what to do, and is fine again afterwards."""
import json
import os
import re
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import BUILD, SOURCE, run, wait_for  # noqa: E402
from work import make_feeds, make_task  # noqa: E402

PROGRAM = os.path.join(BUILD or os.path.join(SOURCE, "build"), "cascadectl")
OPEN = ("INSERT INTO cascade_open (seq, id, task, state, node, ready_at, order_at, lease_until)"
        " VALUES (1, 'open-1', 1, %s, NOW(3) - INTERVAL %d SECOND, NOW(3), %s)")
CLOSE = "DELETE FROM cascade_open"
provoked = set()


def check(s, *arguments, **env):
    """Exit status and {name: row}."""
    done = subprocess.run([PROGRAM, "--config", s.conf, "--json", *arguments, "check"], env=dict(s.env, **env),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.stderr:
        raise RuntimeError(done.stderr)
    return done.returncode, {row["name"]: row for row in json.loads(done.stdout)}


def expect(s, t, name, verdict, finding, remedy, **env):
    """NAME is found, with FINDING and REMEDY in what it says; the rows."""
    code, rows = check(s, **env)
    row = rows.get(name, {})
    said = " ".join(row.get("findings", []))
    t.ok((row.get("verdict"), finding in said, remedy in (row.get("remedy") or "")) == (verdict, True, True)
         and code == max({"warn": 1, "fail": 2}.get(r["verdict"], 0) for r in rows.values()),
         "%s: %s" % (name, verdict), row, code)
    provoked.add(name)
    return rows


def ready(s):
    """A system with nothing wrong: what no daemon of this stack writes is written here."""
    make_task(s, "t1", make_feeds(s, 2))
    node = s.new_node("child-1", sync_config={"max_capacity": 10})
    node.post("/heartbeat")
    s.sql("INSERT INTO cascade_task (task_id) VALUES ('t1')")
    s.sql("INSERT INTO cascade_leader VALUES ('cascaded', 'me', NOW(3) + INTERVAL 1 DAY, NOW(3))")
    s.sql("INSERT INTO cascade_beat (name, beat_at) VALUES ('cascaded', NOW(3) + INTERVAL 1 DAY)")
    s.sql("UPDATE cascade_node SET last_seen_at = NOW(3) + INTERVAL 1 DAY, last_claim_at = NOW(3) + INTERVAL 1 DAY,"
          " last_heartbeat_at = NOW(3) + INTERVAL 1 DAY")
    wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_beat") == "2")
    return node


def test_fine(s, t):
    """nothing is wrong"""
    ready(s)
    code, rows = check(s)
    t.eq((code, [r for r in rows.values() if r["verdict"] != "ok"]), (0, []), "all is well")
    t.ok(all(r["remedy"] is None and r["findings"] == [] and r["title"] for r in rows.values()), "nothing is to do")
    with open(os.path.join(SOURCE, "man", "cascadectl.1")) as file:
        page = file.read()
    t.eq([name for name in rows if "\n.It Cm %s\n" % name not in page], [], "the manual page knows every check")
    with open(os.path.join(SOURCE, "src", "cli", "cmd_check.c")) as file:
        names = set(re.findall(r'^\t\{ "(\w+)", LEVEL', file.read(), re.M))
    t.eq(names - set(rows), set(), "every check is made")
    lines = s.ctl("--lang", "zh", "check").stdout.splitlines()
    t.eq((lines[0].split()[:2], lines[-1]), (["OK", "secret"], "正常 %d 项，警告 0 项，故障 0 项" % len(rows)), "in Chinese")
    t.ok(s.ctl("check").stdout.endswith("%d fine, 0 warnings, 0 failures\n" % len(rows)), "in English")


NODE = "UPDATE cascade_node SET "
# name, verdict, a word of the finding, a word of the remedy, what does it, what undoes it
CASES = [
    ("silent_parts", "fail", "cascaded", "systemctl", "UPDATE cascade_beat SET beat_at = NOW(3) - INTERVAL 1 HOUR WHERE name = 'cascaded'",
     "UPDATE cascade_beat SET beat_at = NOW(3) + INTERVAL 1 DAY WHERE name = 'cascaded'"),
    ("leader", "fail", "-", "systemctl start cascaded", "UPDATE cascade_leader SET lease_until = NOW(3) - INTERVAL 1 SECOND",
     "UPDATE cascade_leader SET lease_until = NOW(3) + INTERVAL 1 DAY"),
    ("grace", "warn", "cascaded -> 20", "", "UPDATE cascade_beat SET gap_ended_at = NOW(3) WHERE name = 'cascaded'",
     "UPDATE cascade_beat SET gap_ended_at = NULL"),
    ("leases", "warn", "open-1", "cascaded", OPEN % ("1, 1", 0, "NOW(3) - INTERVAL 5 MINUTE"), CLOSE),
    ("scheduler", "warn", "20", "cascadectl schedule start", ["schedule", "stop"], ["schedule", "start"]),
    ("cron", "fail", "61 9 * * *", "task set ID --cron", "UPDATE we_message_tasks SET cron_exp = '61 9 * * *'",
     "UPDATE we_message_tasks SET cron_exp = '0 9 * * *'"),
    ("late", "fail", "任务t1", "cascaded", "INSERT INTO cascade_schedule (task_id, cron_exp, zone, last_at, next_at)"
     " VALUES ('t1', '0 9 * * *', '', NOW() - INTERVAL 1 DAY, NOW() - INTERVAL 1 HOUR)", "DELETE FROM cascade_schedule"),
    ("runs", "warn", "run-1", "cascaded", "INSERT INTO cascade_run (run_id, task, created_at, touched_at)"
     " VALUES ('run-1', 1, NOW(3), NOW(3) - INTERVAL 1 HOUR)", "DELETE FROM cascade_run"),
    ("no_task", "warn", "-", "cascadectl task add", "UPDATE we_message_tasks SET status = 0", "UPDATE we_message_tasks SET status = 1"),
    ("no_feed", "warn", "-", "cascadectl feed import", "UPDATE we_feeds SET status = 0", "UPDATE we_feeds SET status = 1"),
    ("task_feeds_json", "fail", "任务t1", "--all-feeds", "UPDATE we_message_tasks SET mps_id = 'nonsense'",
     "UPDATE we_message_tasks SET mps_id = '[]'"),
    ("task_feeds", "warn", "任务t1: nix", "--feeds", "UPDATE we_message_tasks SET mps_id = '[{\"id\": \"nix\"}]'",
     "UPDATE we_message_tasks SET mps_id = '[]'"),
    ("no_node", "fail", "-", "cascadectl node add", NODE + "active = 0", NODE + "active = 1"),
    ("none_online", "fail", "-", "parent_api_url", NODE + "last_seen_at = NOW(3) - INTERVAL 1 HOUR", None),
    ("offline", "warn", "child-1 (20", "--active no", "DO 0", NODE + "last_seen_at = NOW(3) + INTERVAL 1 DAY"),
    ("no_credential", "warn", "child-1", "cascadectl node rotate", "UPDATE we_cascade_nodes SET parent_id = api_key, api_key = NULL",
     "UPDATE we_cascade_nodes SET api_key = parent_id, parent_id = NULL"),
    ("never_seen", "warn", "child-1", "api_secret", NODE + "last_seen_at = NULL", NODE + "last_seen_at = NOW(3) + INTERVAL 1 DAY"),
    ("draining", "fail", "child-1", "cascadectl node resume", NODE + "draining = 1", NODE + "draining = 0"),
    ("on_hold", "fail", "child-1 (2", "UTC", NODE + "hold_until = NOW(3) + INTERVAL 1 DAY", NODE + "hold_until = NULL"),
    ("at_capacity", "warn", "child-1 (10/10)", "--capacity", [NODE + "open_count = 10", OPEN % ("0, 0", 1, "NULL")],
     [NODE + "open_count = 0", CLOSE]),
    ("no_claim", "warn", "child-1 (-)", "", [NODE + "last_claim_at = NULL", OPEN % ("0, 0", 180, "NULL")],
     [NODE + "last_claim_at = NOW(3) + INTERVAL 1 DAY", CLOSE]),
    ("lapsed", "warn", "child-1", "--capacity", NODE + "may_reserve = 0", NODE + "may_reserve = 1"),
    ("unreported", "warn", "child-1 x3", "lease.", "INSERT INTO cascade_attempt (allocation_id, attempt, node, node_id, ended_at, outcome)"
     " SELECT 'a', n.seq + s.seq, n.seq, n.node_id, NOW(3), 'lapsed' FROM cascade_node n JOIN seq_1_to_3 s", "DELETE FROM cascade_attempt"),
    ("quota_sum", "warn", "child-1 (11 > 10)", "--quota", "INSERT INTO cascade_quota"
     " SELECT w.id, n.seq, 11 FROM we_feeds w JOIN cascade_node n LIMIT 1", "DELETE FROM cascade_quota"),
    ("quota_feeds", "warn", "child-1: nix", "=0", "INSERT INTO cascade_quota SELECT 'nix', seq, 1 FROM cascade_node",
     "DELETE FROM cascade_quota"),
    ("sync_config", "warn", "child-1", "--capacity", "UPDATE we_cascade_nodes SET sync_config = '{\"max_capacity\": \"many\"}'",
     "UPDATE we_cascade_nodes SET sync_config = '{\"max_capacity\": 10}'"),
    ("addresses", "warn", "child-1: http://127.0.0.1:9/", "outbound.allow",
     "UPDATE we_cascade_nodes SET callback_url = 'http://127.0.0.1:9/', api_url = 'http://192.0.2.1/x'",
     "UPDATE we_cascade_nodes SET callback_url = NULL, api_url = NULL"),
    ("foreign", "fail", "1", "adopt", "INSERT INTO we_cascade_task_allocations (id, task_id, feed_ids, status, created_at)"
     " VALUES ('f', 't1', '[]', 'pending', NOW() - INTERVAL 10 MINUTE)", "DELETE FROM we_cascade_task_allocations"),
    ("waiting", "warn", "open-1", "cascadectl allocation explain", OPEN % ("0, 0", 3600, "NULL"), CLOSE),
    ("dead_letters", "warn", "任务 x1", "cascadectl dead-letters", "INSERT INTO we_cascade_task_allocations"
     " (id, task_id, task_name, status, completed_at, cascade_owned) VALUES ('d', 't1', '任务', 'failed', NOW(), 1)",
     "DELETE FROM we_cascade_task_allocations"),
    ("admin", "warn", "-", "cascadectl user add", "UPDATE we_users SET is_active = 0", "UPDATE we_users SET is_active = 1"),
]


def do(s, what):
    """SQL, several of it, or a command."""
    if isinstance(what, list) and " " not in what[0]:
        if s.ctl(*what).returncode:
            raise RuntimeError(what)
        return
    for statement in what if isinstance(what, list) else (what or "DO 0").split("; "):
        s.sql(statement)


def test_provoked(s, t):
    """what the database shows"""
    for name, verdict, finding, remedy, provoke, undo in CASES:
        do(s, provoke)
        expect(s, t, name, verdict, finding, remedy)
        do(s, undo)
    code, rows = check(s)
    t.eq((code, [r for r in rows.values() if r["verdict"] != "ok"]), (0, []), "all is well again")


def test_configuration(s, t):
    """what the configuration and this host show"""
    none = {"CASCADE_AUTH_JWT_SECRET_FILE": ""}
    expect(s, t, "secret", "fail", "jwt_secret", "auth.jwt_secret_file", CASCADE_AUTH_JWT_SECRET="short", **none)
    expect(s, t, "default_secret", "warn", "insecure_defaults", "WeRSS", CASCADE_AUTH_JWT_SECRET="csol2025",
           CASCADE_AUTH_INSECURE_DEFAULTS="true", **none)
    rows = expect(s, t, "database", "fail", "nowhere", "database.*", CASCADE_DATABASE_SOCKET="/nowhere/mariadb.sock")
    t.ok("schema" not in rows and "leader" not in rows, "what needs it is left out")
    s.sql("RENAME TABLE cascade_schema TO put_away")
    rows = expect(s, t, "schema", "fail", "", "cascadectl schema install")
    t.ok("leader" not in rows, "what needs it is left out, too")
    s.sql("RENAME TABLE put_away TO cascade_schema")
    s.sql("SET GLOBAL init_connect = 'SET timestamp = UNIX_TIMESTAMP() - 3600'")
    expect(s, t, "clock", "warn", "-36", "timedatectl")
    s.sql("SET GLOBAL init_connect = ''")


def greeting(packet):
    """The server's first packet with the version of a MySQL in it."""
    payload = packet[4:]
    end = payload.index(b"\0")
    payload = payload[:1] + b"8.0.36" + payload[end:]
    return len(payload).to_bytes(3, "little") + packet[3:4] + payload


def pump(source, sink):
    while True:
        data = source.recv(65536)
        if not data:
            break
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)


def pretend_mysql(s, path):
    """Passes one connection at PATH on to the stack's database, which says that it is a MySQL."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def serve():
        client, _ = listener.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(s.db_socket)
        client.sendall(greeting(server.recv(65536)))
        threading.Thread(target=pump, args=(server, client), daemon=True).start()
        pump(client, server)
    threading.Thread(target=serve, daemon=True).start()
    return listener


def test_mysql(s, t):
    """a server that is no MariaDB"""
    path = os.path.join(s.dir, "mysql.sock")
    with pretend_mysql(s, path):
        expect(s, t, "mysql", "warn", "MySQL 8.0.36", "MariaDB", CASCADE_DATABASE_SOCKET=path)


def test_complete(s, t):
    """none was forgotten"""
    t.eq(set(check(s)[1]) - provoked, set(), "every check was provoked")
    done = s.ctl("check")
    t.ok("WARN" not in done.stdout and done.returncode == 0, "and all is well", done.stdout)


run(test_fine, test_provoked, test_configuration, test_mysql, test_complete, workers=1, cascaded=False)
