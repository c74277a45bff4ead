#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
A day of schedules in fast motion: the database and two, then three cascaded live in a time that passes some hundred
times as fast (tests/e2e/fastclock.c). Meanwhile the leading daemon is killed, the database is killed and restarted,
and for two hours everything is away. What fell due is computed here, apart from our code: each occurrence was
dispatched once, or has a record that says why policy left it out, and rightly. make check has a part of a
day; CASCADE_TEST_FULL=1 all of it.
"""
import datetime
import json
import os
import random
import signal
import sys
import threading
import time
import zoneinfo

import croniter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402
from fastclock import FastStack  # noqa: E402
from work import complete, consistent, make_feeds, make_task  # noqa: E402

FULL = bool(os.environ.get("CASCADE_TEST_FULL"))
ACTIVE_S = 11 * 3600 if FULL else 900  # before the outage and after it
EVENT_S = 1800 if FULL else 230  # between two disturbances, about
OUTAGE_S = 7200
FAST, SLOW = 300 if FULL else 120, 30
MISSED_S, GRACE_S, ALL_MAX = 30, 3600, 24  # as docs/design.md has them
STALL_S = 180  # between a decision and its row: a busy machine, in shown time
START = datetime.datetime(2026, 3, 10, 0, 0, 33, tzinfo=datetime.timezone.utc).timestamp()

EVERY_20_S = "*/20 * * * * *"
EXPRESSIONS = (("minute", "* * * * *", "UTC"), ("five", "*/5 * * * *", "UTC"), ("hour", "7 * * * *", "UTC"),
               ("shanghai", "30 */2 * * *", "Asia/Shanghai"), ("kolkata", "15 6,18 * * 2", "Asia/Kolkata"),
               ("seconds", EVERY_20_S, "UTC"))
POLICIES = ("once", "skip", "all")
LATER, OLDER, BEYOND = "missed, a later one runs", "missed, older than schedule.misfire_grace", \
    "missed, beyond the number that is made up for"


def expected(expression, zone, after, until):
    """Every occurrence in (AFTER, UNTIL]."""
    if expression == EVERY_20_S:
        return list(range(int(after) // 20 * 20 + 20, int(until) + 1, 20))
    times = croniter.croniter(expression, datetime.datetime.fromtimestamp(after, zoneinfo.ZoneInfo(zone)))
    found = []
    while True:
        at = int(times.get_next(datetime.datetime).timestamp())
        if at > until:
            return found
        found.append(at)


class Child(threading.Thread):
    """Works off what there is, whatever else happens."""

    def __init__(self, s):
        super().__init__(daemon=True)
        self.node = s.new_node("works", sync_config={"max_capacity": 1000})
        self.over, self.done = False, 0

    def work(self):
        packages = self.node.get("/pending-tasks?limit=10", timeout=5).data
        packages = packages["list"] if isinstance(packages, dict) else []
        for package in packages:
            self.done += complete(self.node, package, timeout_s=0).status == 200
        return bool(packages)

    def run(self):
        while not self.over:
            try:
                busy = self.work()
            except Exception:
                busy = False  # the database is away
            time.sleep(0 if busy else 0.05)


class Day:
    def __init__(self, s, t):
        self.s, self.t, self.clock, self.daemons, self.serial = s, t, s.clock, [], 0
        self.events = {"leader killed": 0, "database killed": 0, "database restarted": 0}
        seed = os.environ.get("CASCADE_TEST_SEED") or str(random.randrange(1 << 32))
        t.note("CASCADE_TEST_SEED=" + seed)
        self.random = random.Random(seed)

    def start_daemons(self, count):
        while len(self.daemons) < count:
            self.serial += 1
            self.daemons.append(self.s.daemon(self.serial))

    def stop_daemons(self, signo=signal.SIGTERM):
        for daemon in self.daemons:
            daemon.send_signal(signo)
        status = [daemon.wait(60) for daemon in self.daemons]
        self.daemons = []
        return status

    def lag(self):
        """How many seconds what is due has waited for its run; None while the database is away."""
        try:
            return float(self.s.value("SELECT GREATEST(COALESCE(TIMESTAMPDIFF(SECOND, MIN(next_at), UTC_TIMESTAMP()), 0), 0)"
                                      " FROM cascade_schedule"))
        except RuntimeError:
            return None

    def kill_leader(self):
        rows = self.s.sql("SELECT holder FROM cascade_leader WHERE name = 'cascaded'")
        pid = int(rows[0]["holder"].split(":")[1]) if rows else None
        for daemon in self.daemons:
            if daemon.pid == pid:
                self.events["leader killed"] += 1
                daemon.kill()
                daemon.wait()
                self.daemons.remove(daemon)
                self.start_daemons(len(self.daemons) + 1)
                return

    def disturb(self):
        """The machine's clock goes on while the database comes back: up to some minutes of the shown one."""
        what = self.random.choice(("leader", "leader", "kill", "stop")) if FULL else self.next_event()
        if what == "leader":
            return self.kill_leader()
        self.clock.set(self.random.choice((1, SLOW, 60)))
        if what == "kill":
            self.events["database killed"] += 1
            self.s.kill("mariadbd")
            wait_for(lambda: not self.s.is_alive("mariadbd"), 20)
        else:
            self.events["database restarted"] += 1
            self.s.stop("mariadbd")
        self.s.start("mariadbd")
        return None

    def next_event(self):
        done = sum(self.events.values())
        return ("leader", "kill", "leader", "stop")[done % 4]

    def live(self, seconds):
        """As fast as the daemons keep up, with disturbances."""
        until, event = self.clock.now() + seconds, self.clock.now() + self.random.uniform(0.3, 0.8) * EVENT_S
        while self.clock.now() < until:
            lag = self.lag()
            self.clock.set(FAST if lag is not None and lag < 12 else SLOW)
            if self.clock.now() >= event:
                self.disturb()
                event = self.clock.now() + self.random.uniform(0.6, 1.4) * EVENT_S
            time.sleep(0.1)
        self.settle()

    def settle(self):
        """Waits until nothing is due any more, at the machine's pace."""
        self.clock.set(1)
        wait_for(lambda: self.lag() == 0, 120)
        wait_for(lambda: self.s.value("SELECT COUNT(*) FROM cascade_run WHERE finished_at IS NULL") == "0", 120)

    def outage(self):
        """Everything is away; it is back 45 s after a full minute, so that nothing is due at that moment."""
        self.stop_daemons(signal.SIGKILL)
        self.s.kill("mariadbd")
        wait_for(lambda: not self.s.is_alive("mariadbd"), 20)
        began = self.clock.now()
        ended = (began + OUTAGE_S) // 60 * 60 + 45
        self.clock.set(1, ended)
        self.s.start("mariadbd")
        return began, self.clock.now()


class Run:
    """A row of cascade_run."""

    def __init__(self, row):
        self.at, self.note = int(row["at"]), row["note"]
        self.decided = self.at + int(row["late"])
        self.late = int(row["late"])
        self.counts = (int(row["created"]), int(row["skipped_open"]), int(row["allocations"]))
        self.finished = row["finished"] == "1"


def read_runs(s, task):
    return [Run(row) for row in s.sql(
        "SELECT TIMESTAMPDIFF(SECOND, '1970-01-01', r.scheduled_for) AS at, r.note, r.created, r.skipped_open,"
        " TIMESTAMPDIFF(SECOND, r.scheduled_for, r.created_at) AS late, r.finished_at IS NOT NULL AS finished,"
        " (SELECT COUNT(*) FROM we_cascade_task_allocations a WHERE a.schedule_run_id = r.run_id) AS allocations"
        " FROM cascade_run r JOIN cascade_task t ON t.seq = r.task"
        " WHERE t.task_id = '%s' AND r.scheduled_for IS NOT NULL ORDER BY r.scheduled_for, r.run_id" % task)]


def unjustified(run, policy, due):
    """Whether what became of RUN is not what its policy says; DUE: occurrences of its task, sorted."""
    later = sum(run.at < at <= run.decided for at in due)
    surely_later = sum(run.at < at <= run.decided - STALL_S for at in due)
    if run.note is None:
        too_late = {"once": surely_later > 0 or run.late > GRACE_S + STALL_S, "skip": True,
                    "all": surely_later >= ALL_MAX or run.late > GRACE_S + STALL_S}[policy]
        return run.late > MISSED_S + STALL_S and too_late
    reason = {("once", LATER): later > 0, ("once", OLDER): run.late > GRACE_S, ("all", OLDER): run.late > GRACE_S,
              ("all", BEYOND): later >= ALL_MAX, ("skip", "missed"): True}
    return run.late <= MISSED_S or not reason.get((policy, run.note), False)


def check_task(s, t, task, policy, due, optional):
    """Every occurrence of DUE has one run, which did what it says it did."""
    runs = read_runs(s, task)
    at = [r.at for r in runs if r.at not in optional]
    t.ok(at == due, "%s: %d occurrences, each once" % (task, len(due)),
         "missing %s" % sorted(set(due) - set(at))[:9], "beyond %s" % sorted(set(at) - set(due))[:9],
         "twice %s" % [a for a in set(at) if at.count(a) > 1][:9])
    wrong = [vars(r) for r in runs if not r.finished or r.counts[0] != r.counts[2]
             or sum(r.counts[:2]) != (0 if r.note else 1)]
    t.ok(not wrong, "%s: each run made its allocation, or left the feed that is open" % task, repr(wrong[:3]))
    wrong = [vars(r) for r in runs if unjustified(r, policy, due)]
    t.ok(not wrong, "%s: what was left out was rightly so, and nothing else" % task, repr(wrong[:3]))
    return runs


def check_outage(t, task, policy, runs, began, ended):
    """What the policy makes of exactly those that two hours of absence left."""
    missed = [r for r in runs if began < r.at < ended - MISSED_S]
    young = [r for r in missed if r.at >= ended - GRACE_S + 60]
    sure = [r for r in missed if r in young or r.at < ended - GRACE_S - 60]
    ran = [r.at for r in sure if r.note is None]
    want = {"skip": [], "all": [r.at for r in young[-ALL_MAX:]], "once": [r.at for r in young[-1:]]}[policy]
    t.eq(ran, want, "%s: of %d missed in the outage %d run" % (task, len(missed), len(want)))


def check_record(s, t):
    """What the operator sees of what was left out."""
    done = s.ctl("--json", "schedule", "runs", "--task", "hour-skip", "--limit", "1000")
    shown = json.loads(done.stdout)
    t.eq([(row["scheduled_for"], row["note"]) for row in shown if row["note"]],
         [(row["at"], row["note"]) for row in s.sql(
             "SELECT DATE_FORMAT(r.scheduled_for, '%Y-%m-%dT%H:%i:%s') AS at, r.note FROM cascade_run r"
             " JOIN cascade_task t ON t.seq = r.task WHERE t.task_id = 'hour-skip' AND r.note IS NOT NULL"
             " ORDER BY r.scheduled_for DESC")], "the operator sees what was left out, and why", done.stderr)
    t.ok(sum(row["note"] == "missed" for row in shown) >= 2, "as the outage left it", done.stdout)


def report(t, every):
    ran = [r for r in every if r.note is None]
    late = sorted(r.late for r in ran)
    t.note("but for the outage %d occurrences: %d dispatched, %d left out; late by %d s (median), %d s (99 %%), %d s (most)"
           % (len(every), len(ran), len(every) - len(ran), late[len(late) // 2], late[len(late) * 99 // 100], late[-1]))
    t.ok(sum(r.late <= MISSED_S for r in ran) * 2 > len(every), "most were dispatched in time")


def test_day(s, t):
    """every occurrence once, or left out with a reason"""
    day = Day(s, t)
    for n, (name, expression, zone) in enumerate(EXPRESSIONS):
        for p, policy in enumerate(POLICIES):
            task = "%s-%s" % (name, policy)
            make_task(s, task, make_feeds(s, 1, first=10 * n + p + 1), cron_exp=expression)
            s.sql("INSERT INTO cascade_task (task_id, timezone, misfire) VALUES ('%s', '%s', '%s')" % (task, zone, policy))
    child = Child(s)
    child.start()
    first = day.clock.now()
    day.start_daemons(2)
    tasks = str(len(EXPRESSIONS) * len(POLICIES))
    t.ok(wait_for(lambda: s.value("SELECT COUNT(*) FROM cascade_schedule") == tasks, 60), "two daemons")
    began = day.clock.now()
    day.live(ACTIVE_S)
    gone, back = day.outage()
    day.start_daemons(3)
    day.settle()
    t.note("three daemons")
    day.live(ACTIVE_S)
    t.eq(day.stop_daemons(), [0, 0, 0], "SIGTERM ends all three")
    ended = float(s.value("SELECT MAX(TIMESTAMPDIFF(SECOND, '1970-01-01', beat_at)) FROM cascade_beat WHERE name = 'cascaded'"))
    child.over = True
    child.join()
    t.note("%d s of shown time, %s, %d completions" % (ended - first, day.events, child.done))
    t.ok(all(day.events.values()), "there were disturbances of each kind")
    every = []
    for name, expression, zone in EXPRESSIONS:
        for policy in POLICIES:
            task = "%s-%s" % (name, policy)
            due = expected(expression, zone, began, ended - 2)
            optional = set(expected(expression, zone, first - 1, began)) | set(expected(expression, zone, ended - 2, ended + 5))
            runs = check_task(s, t, task, policy, due, optional)
            if expression != EVERY_20_S:
                check_outage(t, task, policy, runs, gone, back)
            every += [r for r in runs if not gone < r.at < back]
    report(t, every)
    check_record(s, t)
    t.eq(s.sql("SELECT schedule_run_id FROM we_cascade_task_allocations GROUP BY schedule_run_id, task_id"
               " HAVING COUNT(*) > 1"), [], "no allocation is there twice")
    consistent(s, t)


run(test_day, kind=FastStack, start=START, workers=2,
    env={"CASCADE_SCHEDULE_TIMEZONE": "UTC", "CASCADE_DATABASE_WAIT": "1s", "CASCADE_RETENTION_ALLOCATIONS": "0"})
