# SPDX-License-Identifier: MIT
"""The plots of docs/performance.md, drawn by gnuplot from the figures of a run."""
import os
import subprocess

STYLE = """set terminal svg size 720,360 font 'sans,12' background '#ffffff'
set output '%s'
set style data histograms
set style fill solid 0.8 border -1
set grid ytics
set key top right
set yrange [0:*]
"""


def gnuplot(script):
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def ratios(got, path):
    """Each ratio with its spread, beside its target."""
    shown = [(n, r) for n, r in got.items() if r.get("spread") and (r["target"] or 0) > 0]
    if not shown:
        return
    lines = "\n".join("%d %g %g %g %g" % (i, r["ratio"], *r["spread"], r["target"]) for i, (n, r) in enumerate(shown))
    ticks = ", ".join('"%s" %d' % (n.replace("_", " "), i) for i, (n, _) in enumerate(shown))
    gnuplot(STYLE % path + "set title 'reached, of the ceiling measured in the same run'\nset xtics (%s)\nset xrange [-0.6:%g]\n"
            "set boxwidth 0.6\n$d << E\n%s\nE\nplot $d using 1:2 with boxes lc '#4477aa' title 'median',"
            " $d using 1:2:3:4 with yerrorbars lc black notitle, $d using 1:5 with points pt 2 lc '#cc3311' title 'target'\n"
            % (ticks, len(shown) - 0.4, lines))


def growth(row, path):
    """A claim's cost against the number of rows."""
    bars = list(row["pending"].items()) + [(n + " ended", t) for n, t in row["finished"].items()]
    lines = "\n".join('"%s" %g' % bar for bar in [("10000", 1)] + bars)
    gnuplot(STYLE % path + "set title 'cost of a claim by rows pending, or ended, against 10,000 pending'\n$d << E\n%s\nE\n"
            "plot $d using 2:xtic(1) lc '#4477aa' notitle, 1.25 lc '#cc3311' with lines title 'bound'\n" % lines)


def write(got, directory):
    os.makedirs(directory, exist_ok=True)
    ratios(got, os.path.join(directory, "ratios.svg"))
    if "growth" in got:
        growth(got["growth"], os.path.join(directory, "growth.svg"))
