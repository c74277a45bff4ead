# SPDX-License-Identifier: MIT
"""Runs the benchmarks that are asked for and prints a table, or JSON. tools/bench calls it."""
import argparse
import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from lab import TOP, Lab, free_gib  # noqa: E402
import flame  # noqa: E402
import plot  # noqa: E402
import rows  # noqa: E402

HUGE_GIB = 60
FIRST = ("rate", "ceiling", "ratio", "spread", "unit", "target", "repetitions")


def met(row):
    """A negative target is a bound from above."""
    if row["target"] is None:
        return ""
    return "yes" if (row["ratio"] <= -row["target"] if row["target"] < 0 else row["ratio"] >= row["target"]) else "no"


def print_row(name, row):
    target = "" if row["target"] is None else ("<= %g" % -row["target"] if row["target"] < 0 else ">= %g" % row["target"])
    figures = [name, row["rate"] or "", row["ceiling"] or "", row["ratio"], "%s-%s" % tuple(row["spread"]) if "spread" in row else "",
               target, met(row), row["unit"]]
    print("%-13s %10s %10s %7s %14s %8s %4s  %s" % tuple(map(str, figures)))
    more = ", ".join("%s %s" % (k, json.dumps(v) if isinstance(v, dict) else v) for k, v in row.items() if k not in FIRST)
    if more:
        print("              " + more)
    sys.stdout.flush()


def run(names, options, binlog=False):
    got = {}
    with Lab(options.quick, binlog, huge=options.huge) as lab:
        for bench in names:
            begin = time.monotonic()
            got[bench.__name__] = row = bench(lab)
            row["took_s"] = round(time.monotonic() - begin, 1)
            if not options.json:
                print_row(bench.__name__ + (" (binlog)" if binlog else ""), row)
    return got


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGTERM, interrupted)  # the stack is ended either way
    p = argparse.ArgumentParser(prog="tools/bench", description="Measures what the system exists for, as ratios to ceilings of the same run.")
    p.add_argument("--only", nargs="+", metavar="NAME", choices=[b.__name__ for b in rows.ALL])
    p.add_argument("--quick", action="store_true", help="under 30 s each, scaled down")
    p.add_argument("--json", action="store_true", help="one object of all figures instead of the table")
    p.add_argument("--huge", action="store_true", help="growth: 20,000,000 pending, 50,000,000 finished; needs %d GiB, and 16 of memory" % HUGE_GIB)
    p.add_argument("--no-binlog", action="store_true", help="leave out the runs on a server that writes a binary log")
    p.add_argument("--plots", metavar="DIR", help="write the plots there (needs gnuplot)")
    p.add_argument("--flame", metavar="FILE", help="only a flame graph of the claim path, as SVG (needs perf)")
    options = p.parse_args()
    if options.flame:
        with Lab(options.quick) as lab:
            flame.record(lab, os.path.join(TOP, options.flame))
        return
    if options.huge and free_gib(os.environ["CASCADE_BUILD"]) < HUGE_GIB:
        p.error("--huge needs %d GiB free below %s" % (HUGE_GIB, os.environ["CASCADE_BUILD"]))
    chosen = [b for b in rows.ALL if not options.only or b.__name__ in options.only]
    if not options.json:
        print("%-13s %10s %10s %7s %14s %8s %4s  %s" % ("", "rate", "ceiling", "ratio", "spread", "target", "met", "unit"))
        if options.quick:
            print("--quick: fewer rows, shorter runs; growth, snapshot, nodes, memory, dispatch and loop are scaled down")
    got = run(chosen, options)
    again = [b for b in chosen if b in rows.WITH_BINLOG]
    if again and not options.quick and not options.no_binlog:
        for name, row in run(again, options, binlog=True).items():
            got[name]["binlog"] = row
    if options.plots:
        plot.write(got, os.path.join(TOP, options.plots))
    if options.json:
        print(json.dumps(got, ensure_ascii=False, indent=1))


main()
