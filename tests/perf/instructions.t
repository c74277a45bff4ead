#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Instructions that a request takes in our own code, as callgrind counts them: no clock, no load of the
machine, and nothing of libc or the database's library is in them. Kept in instructions.json; more than
5 % above it fails, more than 5 % below asks for --update, which writes it. For a build by gcc with -O2,
as tools/check makes in build/bench.
"""
import glob
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import run, wait_for  # noqa: E402
from work import article, claim, dispatch, make_feeds, make_task, upload  # noqa: E402

KEPT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "instructions.json")
TOLERANCE = 0.05
TIMES = 20
UPDATE = "--update" in sys.argv[1:]


def own_instructions(path):
    """The self cost of what belongs to our program in a file of callgrind's."""
    names, mine, skip, total = {}, False, False, 0
    with open(path) as file:
        for line in file:
            if line.startswith(("ob=", "cob=")):  # a name is given once, by whichever comes first
                number, _, name = line.strip().partition("=")[2].partition(" ")
                names.setdefault(number, name)
                if line.startswith("ob="):
                    mine = names[number].endswith("/cascade-fcgi")
            elif line.startswith("calls="):
                skip = True  # the next line is the callee's
            elif re.match(r"[0-9+*-]", line):
                total += int(line.split()[1]) if mine and not skip else 0
                skip = False
    return total


def measure(s, handler, request):
    """Own instructions of HANDLER for each REQUEST, from a pool that callgrind runs."""
    s.stop("cascade-fcgi")
    s.env["CASCADE_STACK_CALLGRIND"] = handler
    s.start("cascade-fcgi")
    wait_for(lambda: s.http("GET", "/readyz").status == 200, 60)
    for n in range(TIMES):
        request(n)
    s.stop("cascade-fcgi")
    files = glob.glob(os.path.join(s.log_dir, "callgrind.cascade-fcgi.*"))
    counted = max(own_instructions(path) for path in files)
    for path in files:
        os.remove(path)
    return round(counted / TIMES)


def must(answer):
    if answer.status != 200:
        raise RuntimeError(repr(answer))
    return answer


def test_instructions(s, t):
    """instructions of our own"""
    node = s.new_node("counted", sync_config={"max_capacity": 1000})
    make_task(s, "counted", make_feeds(s, 3 * TIMES))
    must(dispatch(s, "counted"))
    s.sql("UPDATE cascade_open SET node = (SELECT MAX(seq) FROM cascade_node), assigned_at = NOW(3)")
    s.sql("UPDATE cascade_node SET open_count = %d" % (3 * TIMES))
    package = claim(node)
    feed = package["feeds"][0]["id"]
    got = {
        "heartbeat": measure(s, "h_heartbeat", lambda n: must(node.post("/heartbeat"))),
        "claim": measure(s, "h_claim_task", lambda n: must(node.post("/claim-task"))),
        "upload": measure(s, "h_upload_articles",
                          lambda n: must(upload(node, package, [article(feed, 10 * n + i) for i in range(5)]))),
    }
    if UPDATE:
        with open(KEPT, "w") as file:
            json.dump(got, file, indent=1)
            file.write("\n")
    with open(KEPT) as file:
        kept = json.load(file)
    t.eq(sorted(kept), sorted(got), "what is counted is what is kept")
    for name, count in got.items():
        t.ok(abs(count / kept[name] - 1) <= TOLERANCE, "%s: within 5 %% of %d" % (name, kept[name]), "counted: %d" % count)


run(test_instructions, workers=1, cascaded=False, env={"CASCADE_LEASE_CLAIM": "1h"})
