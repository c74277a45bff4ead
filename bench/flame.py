# SPDX-License-Identifier: MIT
"""A flame graph of the claim path: perf's samples of every process of the stack, drawn as SVG."""
import collections
import html
import subprocess

from lab import CLAIM, who

WIDTH, LINE, LEAST = 1200, 16, 0.004  # of all samples: what is narrower is left out
SECONDS = 8
PARTS = ("mariadbd", "cascade-fcgi", "nginx")


def stacks(path):
    """{(process, outermost function, …, innermost): samples}."""
    script = subprocess.run(["perf", "script", "-i", path, "-F", "comm,ip,sym"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=True).stdout
    counted = collections.Counter()
    for sample in script.split("\n\n"):
        lines = sample.strip("\n").split("\n")
        frames = [line.split(None, 1)[1].split("+0x")[0] for line in lines[1:] if len(line.split(None, 1)) == 2]
        if lines[0].strip():
            counted[(lines[0].split()[0], *reversed([f for f in frames if f != "[unknown]"]))] += 1
    return counted


def tree(counted):
    root = {"n": 0, "in": {}}
    for stack, n in counted.items():
        at = root
        at["n"] += n
        for frame in stack:
            at = at["in"].setdefault(frame, {"n": 0, "in": {}})
            at["n"] += n
    return root


def boxes(node, total, left, depth):
    """(left, width, depth, name, share) of everything in NODE that is wide enough."""
    for name, child in sorted(node["in"].items()):
        share = child["n"] / total
        if share >= LEAST:
            yield left, share, depth, name
            yield from boxes(child, total, left, depth + 1)
        left += share


def draw(counted, path):
    root = tree(counted)
    found = list(boxes(root, root["n"], 0, 0))
    height = (max(depth for _, _, depth, _ in found) + 1) * LINE
    out = ["<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' font-family='sans-serif' font-size='11'>" % (WIDTH, height)]
    for left, share, depth, name in found:
        x, w, y = left * WIDTH, share * WIDTH, height - (depth + 1) * LINE
        text = html.escape(name[:int(w / 6.5)], quote=True)
        out.append("<g><title>%s %.1f %%</title><rect x='%.1f' y='%d' width='%.1f' height='%d' fill='hsl(%d,70%%,65%%)' stroke='white'"
                   " stroke-width='.5'/><text x='%.1f' y='%d'>%s</text></g>"
                   % (html.escape(name, quote=True), share * 100, x, y, w, LINE, sum(name.encode()) % 45 + 10, x + 2, y + 12, text))
    with open(path, "w") as file:
        file.write("\n".join(out + ["</svg>\n"]))


def record(lab, path):
    """Claims for some seconds, and what every process of the stack does meanwhile."""
    lab.reset()
    lab.nodes(8)
    lab.pending(30000)
    data = lab.file("perf", [])
    pids = ",".join(str(pid) for part in PARTS for pid in lab.pids(part))
    recorder = subprocess.Popen(["perf", "record", "-q", "-g", "-F", "499", "-p", pids, "-o", data, "sleep", str(SECONDS)])
    lab.load(CLAIM, who(8), SECONDS)
    if recorder.wait():
        raise RuntimeError("perf failed")
    draw(stacks(data), path)
