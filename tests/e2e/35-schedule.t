#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cascadectl schedule: when tasks fall due, and which cannot."""
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run  # noqa: E402

BERLIN = "Europe/Berlin"


def good(s, t, *arguments):
    """What the command prints; a check that it succeeds in silence."""
    done = s.ctl(*arguments)
    t.ok(done.returncode == 0 and not done.stderr, "cascadectl " + " ".join(arguments)[:90], repr(done))
    return done.stdout


def bad(s, t, status, words, *arguments):
    """A check that it fails with STATUS, says WORDS and prints nothing."""
    done = s.ctl(*arguments)
    t.ok(done.returncode == status and words in done.stderr and not done.stdout,
         "cascadectl %s: %d, %s" % (" ".join(arguments)[:90], status, words), repr(done))


def following(s, *arguments):
    """The lines of schedule next."""
    return s.ctl("schedule", "next", *arguments).stdout.splitlines()


def with_zone(s, name):
    """The stack's configuration with another time zone."""
    path = os.path.join(s.dir, "zone.conf")
    with open(s.conf, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text + '\nschedule: { timezone = "%s"; };\n' % name)
    return path


def test_expression(s, t):
    """an expression"""
    for zone, expression, after, want in (
            ("UTC", "*/15 * * * *", "2026-01-01T00:00:00",
             ["2026-01-01T00:15:00", "2026-01-01T00:30:00", "2026-01-01T00:45:00"]),
            ("UTC", "0 0 30 2 *", "2026-01-01T00:00:00", []),
            ("Asia/Shanghai", "30 0 9 * * mon-FRI", "2026-01-01 09:00:30",
             ["2026-01-02T09:00:30", "2026-01-05T09:00:30", "2026-01-06T09:00:30"]),
            (BERLIN, "30 2 * * *", "2026-03-28T02:30:00",
             ["2026-03-29T03:00:00", "2026-03-30T02:30:00", "2026-03-31T02:30:00"]),
            (BERLIN, "30 2 * * *", "2026-10-24T02:30:00",
             ["2026-10-25T02:30:00", "2026-10-26T02:30:00", "2026-10-27T02:30:00"]),
            (BERLIN, "*/30 * * * *", "2026-10-25T02:30:00",
             ["2026-10-25T02:00:00", "2026-10-25T02:30:00", "2026-10-25T03:00:00"])):
        t.eq(following(s, "--expression", expression, "--zone", zone, "--from", after, "-n", "3"), want,
             "%s in %s" % (expression, zone))
    utc = ["--zone", BERLIN, "--expression", "30 2 * * *", "--from", "2026-10-25T00:30:00", "--count=2"]
    t.eq(following(s, "--utc", *utc), ["2026-10-26T01:30:00", "2026-10-27T01:30:00"], "--utc: all of it is UTC")
    t.eq(following(s, *utc), ["2026-10-25T02:30:00", "2026-10-26T02:30:00"], "else all is of the zone")
    t.eq(following(s, "--zone", BERLIN, "--expression", "0 9 * * *", "--from", "2026-07-01T06:59:59Z"),
         ["2026-07-01T09:00:00"], "but for a time with a Z; and one is printed by default")
    listed = json.loads(good(s, t, "--json", "schedule", "next", "--expression", "0 9 * * *", "--zone", BERLIN,
                             "--from", "2026-07-01T00:00:00", "-n", "2"))
    t.eq(listed, [{"at": "2026-07-01T09:00:00", "utc": "2026-07-01T07:00:00"},
                  {"at": "2026-07-02T09:00:00", "utc": "2026-07-02T07:00:00"}], "as JSON")
    t.eq(json.loads(good(s, t, "--json", "schedule", "next", "--expression", "0 0 31 4 *")), [], "never, as JSON")
    t.eq(good(s, t, "schedule", "next", "--expression", "0 0 31 4 *"), "", "never")


def test_now(s, t):
    """from now on"""
    before = time.time()
    line = good(s, t, "schedule", "next", "--expression", "* * * * * *", "--utc").strip()
    at = time.strptime(line + " UTC", "%Y-%m-%dT%H:%M:%S %Z")
    t.ok(before < time.mktime(at) - time.timezone < before + 60, "the next second", line)


def test_without_database(s, t):
    """an expression needs no database"""
    s.stop("mariadbd")
    good(s, t, "schedule", "next", "--expression", "0 9 * * *")
    bad(s, t, 69, "database", "schedule", "next", "--task", "x")
    s.start("mariadbd")


def test_refused(s, t):
    """what is refused"""
    for status, words, arguments in (
            (64, "--task | --expression", []), (64, "exclude", ["--task", "x", "--expression", "* * * * *"]),
            (65, "--expression: hour: values of \"25\" should be within 0-23", ["--expression", "0 25 * * *"]),
            (65, "--expression: should have 5 or 6 fields, has 4", ["--expression", "* * * *"]),
            (65, "--zone: ", ["--expression", "* * * * *", "--zone", "Mars/Olympus"]),
            (65, "--zone: ", ["--expression", "* * * * *", "--zone", "../../../etc/localtime"]),
            (65, "--from: ", ["--expression", "* * * * *", "--from", "2026-02-30T00:00:00"]),
            (65, "--from: ", ["--expression", "* * * * *", "--from", "tomorrow"]),
            (65, "--count: ", ["--expression", "* * * * *", "-n", "0"]),
            (69, "no such task", ["--task", "nix"])):
        bad(s, t, status, words, "schedule", "next", *arguments)
    t.ok("分钟字段" in s.ctl("--lang", "zh", "schedule", "next", "--expression", "60 * * * *").stderr, "in Chinese")


def test_zones(s, t):
    """zones of the configuration and of tasks"""
    conf = with_zone(s, "Asia/Tokyo")
    asked = ["--from", "2026-07-01T00:00:00Z", "--utc"]
    good(s, t, "task", "add", "无", "--id", "none", "--cron", "0 9 * * *")
    good(s, t, "task", "add", "柏林", "--id", "berlin", "--cron", "0 9 * * *", "--zone", BERLIN)
    good(s, t, "--config", conf, "--check-config")
    for task, more, want in (("none", [], "2026-07-02T00:00:00"), ("berlin", [], "2026-07-01T07:00:00"),
                             ("berlin", ["--zone", "America/New_York"], "2026-07-01T13:00:00")):
        t.eq(good(s, t, "--config", conf, "schedule", "next", "--task", task, *more, *asked).strip(), want,
             " ".join(["the zone of", task] + more))
    t.eq(json.loads(good(s, t, "--json", "task", "show", "berlin"))["timezone"], BERLIN, "kept with the task")
    t.eq(json.loads(good(s, t, "--json", "task", "show", "none"))["timezone"], None, "or not")
    good(s, t, "task", "set", "berlin", "--priority", "3")
    t.eq(json.loads(good(s, t, "--json", "task", "show", "berlin"))["timezone"], BERLIN, "other changes leave it")
    good(s, t, "task", "set", "none", "--zone", "Asia/Kolkata")
    t.eq(good(s, t, "schedule", "next", "--task", "none", *asked).strip(), "2026-07-01T03:30:00", "set")
    good(s, t, "task", "set", "none", "--zone", "")
    t.eq(json.loads(good(s, t, "--json", "task", "show", "none"))["timezone"], None, "and taken away")
    shown = json.loads(good(s, t, "--json", "task", "show", "berlin"))
    t.eq((shown["misfire"], shown["overlap"]), ("once", "skip"), "the policies of a task that sets none")
    good(s, t, "task", "set", "berlin", "--misfire", "all", "--overlap", "replace")
    shown = json.loads(good(s, t, "--json", "task", "show", "berlin"))
    t.eq((shown["misfire"], shown["overlap"], shown["timezone"]), ("all", "replace", BERLIN), "may be set")
    t.eq(s.ctl("task", "set", "berlin", "--misfire", "twice").returncode, 65, "to what there is")
    bad(s, t, 65, "--zone: ", "task", "set", "none", "--zone", "Berlin")
    bad(s, t, 65, "--zone: ", "task", "add", "x", "--zone", "Berlin")
    conf = with_zone(s, "Nowhere")
    bad(s, t, 78, "schedule.timezone: ", "--config", conf, "--check-config")
    bad(s, t, 78, "schedule.timezone: ", "--config", conf, "schedule", "next", "--task", "none")
    bad(s, t, 78, "schedule.timezone: ", "--config", conf, "schedule", "check")
    good(s, t, "--config", conf, "schedule", "next", "--task", "berlin")


def test_draws(s, t):
    """draws depend on the task's id, however it is written"""
    for task in ("a", "b"):
        good(s, t, "task", "add", task, "--id", task, "--cron", "0~59 0~23 * * *", "--zone", "UTC")
    asked = ["--from", "2026-01-01T00:00:00", "-n", "40"]
    a, b = following(s, "--task", "a", *asked), following(s, "--task", "b", *asked)
    t.ok(len(a) == len(b) == 40 and a != b, "two tasks draw apart", a, b)
    t.eq([line[:10] for line in a], sorted({line[:10] for line in a}), "once a day")
    t.eq(following(s, "--task", "A", *asked), a, "an id in capitals is the same task")
    t.eq(following(s, "--task", "a", "--from", a[19], "-n", "20"), a[20:], "wherever one begins")
    good(s, t, "task", "set", "a", "--cron", "")
    t.eq(good(s, t, "schedule", "next", "--task", "a"), "", "without an expression there is nothing")


def test_cron_of_tasks(s, t):
    """expressions that no task may have"""
    bad(s, t, 65, "--cron: minute: values of \"61\"", "task", "add", "x", "--cron", "61 * * * *")
    bad(s, t, 65, "--cron: day of week: ", "task", "set", "none", "--cron", "0 0 * * MONDAY")
    bad(s, t, 65, "--cron: should have 5 or 6 fields, has 1", "task", "set", "none", "--cron", "@daily")
    t.eq(json.loads(good(s, t, "--json", "task", "show", "none"))["cron_exp"], "0 9 * * *", "nothing is stored")


def test_check(s, t):
    """check"""
    t.eq(json.loads(good(s, t, "--json", "schedule", "check")), [], "all is well")
    t.ok("every schedule" in good(s, t, "schedule", "check"), "which it says")
    s.sql("INSERT INTO we_message_tasks (id, name, message_type, message_template, web_hook_url, mps_id, cron_exp, status)"
          " VALUES ('w1', '坏的', 0, '', '', '[]', '0 25 * * *', 1), ('w2', 'off', 0, '', '', '[]', 'daily', 0),"
          " ('w3', 'good', 0, '', '', '[]', '0 5 * * *', 1), ('w4', 'no', 0, '', '', '[]', '', 1)")
    s.sql("UPDATE cascade_task SET timezone = 'Gone/City' WHERE task_id = 'berlin'")
    done = s.ctl("schedule", "check")
    t.ok(done.returncode == 65 and "tasks that cannot be scheduled: 3" in done.stderr, "fails", repr(done))
    lines = sorted(done.stdout.splitlines())
    t.eq(len(lines), 3, "a line for each", *lines)
    for line, words in zip(lines, (r"berlin \(柏林\).*timezone: .", r"w1 \(坏的\) .0 25 \* \* \*.: .*hour: .*\"25\"",
                                   r"w2 \(off\) .daily.: .*5 or 6 fields")):
        t.ok(re.search(words, line), words, line)
    done = s.ctl("--json", "schedule", "check")
    t.eq(sorted((x["id"], x["cron_exp"]) for x in json.loads(done.stdout)),
         [("berlin", "0 9 * * *"), ("w1", "0 25 * * *"), ("w2", "daily")], "as JSON", repr(done))
    bad(s, t, 65, "cron_exp: hour: ", "schedule", "next", "--task", "w1")
    bad(s, t, 65, "timezone: ", "schedule", "next", "--task", "berlin")


run(test_expression, test_now, test_refused, test_zones, test_draws, test_cron_of_tasks, test_check, test_without_database,
    workers=1, cascaded=False)
