#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Cron expressions against croniter and Python's time zones: random expressions, zones and times of
1970 to 2199. Left out are days on which the clocks may change, where croniter has rules of its own,
and the first two days of March: with 30 or 31 among the days it passes them over from February.
CS_SEED repeats a run, CS_CASES sets its length.
"""
import os
import random
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone

sys.dont_write_bytecode = True
SOURCE = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
BUILD = os.environ.get("CASCADE_BUILD") or os.path.join(SOURCE, "build")
sys.path.insert(0, os.path.join(SOURCE, "tests", "lib"))
from tap import Tap  # noqa: E402

try:
    from zoneinfo import ZoneInfo

    from croniter import CroniterBadDateError, croniter
except ImportError as error:
    WHY = str(error)
    croniter = None

CASES = int(os.environ.get("CS_CASES", 20000))
SEED = int(os.environ.get("CS_SEED", time.time()))
COUNT = 4
FIRST, LAST = datetime(1970, 1, 3), datetime(2199, 12, 1)
AWAY = timedelta(days=2)
ZONES = ["UTC", "Asia/Shanghai", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Tokyo", "Asia/Tehran", "Europe/Berlin",
         "Europe/London", "Europe/Dublin", "Europe/Moscow", "America/New_York", "America/Los_Angeles",
         "America/Sao_Paulo", "America/St_Johns", "Africa/Casablanca", "Africa/Cairo", "Australia/Sydney",
         "Australia/Lord_Howe", "Australia/Darwin", "Pacific/Apia", "Pacific/Auckland", "Pacific/Chatham",
         "Pacific/Kiritimati", "Etc/GMT+12", "America/Nuuk"]
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
WEEKDAYS = "SUN MON TUE WED THU FRI SAT".split()
FIELDS = [(0, 59, None), (0, 23, None), (1, 31, None), (1, 12, MONTHS), (0, 6, WEEKDAYS)]


def some_item(rng, low, high, names):
    def word(n):
        name = names[n - low] if names and rng.random() < 0.3 else str(n)
        return rng.choice((name, name.lower()))

    first = rng.randint(low, high)
    last = rng.randint(first, high)
    form = rng.randrange(5)
    if form == 0:
        return "*/%d" % rng.randint(1, high - low)
    if form == 1 and last > first:
        return "%s-%s" % (word(first), word(last))
    if form == 2 and last > first:
        return "%d-%d/%d" % (first, last, rng.randint(1, last - first))
    if form == 3:
        return "%d/%d" % (first, rng.randint(1, high - low))
    return "7" if names is WEEKDAYS and first == 0 else word(first)


def some_field(rng, low, high, names):
    if rng.random() < 0.3:
        return "*"
    return ",".join(some_item(rng, low, high, names) for _ in range(rng.choice((1, 1, 2, 3))))


def some_case(rng):
    """(zone, local time, expression)"""
    fields = [some_field(rng, *f) for f in FIELDS]
    after = FIRST + timedelta(seconds=rng.randrange(int((LAST - FIRST).total_seconds())))
    return rng.choice(ZONES), after, " ".join(fields)


def seconds(local, zone):
    return int(local.replace(tzinfo=zone).timestamp())


def ours(cases):
    lines = "".join("%d %d %s %s\n" % (seconds(after, ZoneInfo(zone)), COUNT, zone, expr) for zone, after, expr in cases)
    helper = os.path.join(BUILD, "tests", "unit", "cron_lines")
    done = subprocess.run([helper], input=lines, stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout.splitlines()


def theirs(zone, after, expr):
    iterator = croniter(expr, after, day_or=False)
    found = []
    try:
        while len(found) < COUNT:
            found.append(seconds(iterator.get_next(datetime), zone))
    except CroniterBadDateError:
        pass
    return found


def is_plain(zone, at):
    """Is AT no day that is left out?"""
    local = datetime.fromtimestamp(at, zone)
    if local.month == 3 and local.day <= 2:
        return False
    utc = local.astimezone(timezone.utc)
    return (utc - AWAY).astimezone(zone).utcoffset() == (utc + AWAY).astimezone(zone).utcoffset()


def is_same(zone, got, want):
    """On plain days, as far as both lists go."""
    if not got or not want:
        return got == want
    end = min(got[-1], want[-1])
    plain = [[at for at in times if at <= end and is_plain(zone, at)] for times in (got, want)]
    return plain[0] == plain[1]


def main():
    t = Tap()
    name = "%d random expressions" % CASES
    if croniter is None:
        t.skip(name, "no croniter: " + WHY)
        t.end()
    t.note("CS_SEED=%d" % SEED)
    rng = random.Random(SEED)
    cases = [some_case(rng) for _ in range(CASES)]
    answers = ours(cases)
    t.eq(len(answers), CASES, "all are answered")
    wrong, compared = [], 0
    for (zone, after, expr), answer in zip(cases, answers):
        want = theirs(ZoneInfo(zone), after, expr)
        compared += len(want)
        got = None if answer.startswith("!") else [int(at) for at in answer.split()]
        if got is None or not is_same(ZoneInfo(zone), got, want):
            wrong.append("%s in %s after %s: %s instead of %s" % (expr, zone, after, answer, want))
    t.ok(not wrong and compared > CASES, "%s, %d occurrences" % (name, compared), "%d differ" % len(wrong), *wrong[:20])
    t.end()


if __name__ == "__main__":
    main()
