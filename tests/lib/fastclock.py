# SPDX-License-Identifier: MIT
"""
Fast motion: a stack whose database, and so whatever goes by its clock, lives in a time that a test sets. The
preloaded library is tests/e2e/fastclock.c. The workers' and the test's own clocks are the machine's.
"""
import mmap
import os
import shutil
import struct
import subprocess
import time

from cascade import BUILD, SOURCE, Stack

PROGRAMS = BUILD or os.path.join(SOURCE, "build")
LIBRARY = os.path.join(PROGRAMS, "tests", "e2e", "fastclock.so")


class Clock:
    """Shown time in a file; in seconds, as time.time() has it."""

    def __init__(self, path, start):
        with open(path, "wb") as file:
            file.write(bytes(4096))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 4096)
        self.path, self.seq, self.rate, self.shown_ns, self.mono_ns = path, 0, 1.0, int(start * 1e9), time.monotonic_ns()
        self._write()

    def _write(self):
        for seq in (self.seq + 1, self.seq + 2):
            struct.pack_into("<Q", self.map, 0, seq)
            if seq % 2:
                struct.pack_into("<qqd", self.map, 8, self.mono_ns, self.shown_ns, self.rate)
        self.seq += 2

    def now(self):
        return (self.shown_ns + (time.monotonic_ns() - self.mono_ns) * self.rate) / 1e9

    def set(self, rate, at=None):
        """Goes on at RATE times the machine's clock, from now or from AT."""
        self.shown_ns = int((self.now() if at is None else at) * 1e9)
        self.mono_ns, self.rate = time.monotonic_ns(), float(rate)
        self._write()

    def env(self):
        """For one of our programs."""
        return {"LD_PRELOAD": LIBRARY, "FASTCLOCK_FILE": self.path, "FASTCLOCK_ALL": "1"}


class FastStack(Stack):
    """A stack without cascaded, whose database shows .clock; daemons are started by daemon()."""

    def __init__(self, start, **options):
        super().__init__(cascaded=False, **options)
        self.clock = Clock(os.path.join(self.dir + ".clock"), start)
        self.bin = self.dir + ".bin"
        os.mkdir(self.bin)
        path = os.path.join(self.bin, "mariadbd")
        server = shutil.which("mariadbd", path=self.env.get("PATH", "") + ":/usr/sbin")
        with open(path, "w") as file:
            file.write("#!/bin/sh\nLD_PRELOAD='%s' FASTCLOCK_FILE='%s' exec '%s' \"$@\"\n"
                       % (LIBRARY, self.clock.path, server))
        os.chmod(path, 0o755)
        self.env["PATH"] = "%s:%s" % (self.bin, self.env.get("PATH", ""))

    def daemon(self, number):
        """A running cascaded; its log is cascaded<number>.log."""
        env = dict(self.env, **self.clock.env())
        env["ASAN_OPTIONS"] += ":verify_asan_link_order=0"
        with open(os.path.join(self.log_dir, "cascaded%d.log" % number), "a") as log:
            return subprocess.Popen([os.path.join(PROGRAMS, "cascaded"), "--config", self.conf], env=env, stderr=log)

    def remove(self):
        super().remove()
        os.unlink(self.clock.path)
        shutil.rmtree(self.bin)
