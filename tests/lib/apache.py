# SPDX-License-Identifier: MIT
"""
A private Apache with a file of nginx/cascade-apache-*.conf as it is shipped, but for the one line that
says where the workers are: a host that serves nothing but Cascade, on a loopback port of its own.
"""
import os
import shutil
import signal
import socket
import subprocess

from cascade import BUILD, SOURCE, wait_for

MODULES = "/usr/lib/apache2/modules"
PROGRAM = shutil.which("apache2") or "/usr/sbin/apache2"
# Root's Apache would change to a user who may not open the stack's files, and may not stay root. One
# that is started as such a user stays it; a capability opens the files to it and to what it starts.
AS_USER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+dac_override",
           "--ambient-caps=+dac_override"]
COMMON = ["mpm_event", "authz_core", "authz_host", "alias", "env", "headers", "reqtimeout", "setenvif", "unique_id"]
KINDS = {"proxy": ["proxy", "proxy_fcgi"], "fcgid": ["fcgid"]}


def is_there(kind):
    modules = COMMON + KINDS[kind]
    return os.path.exists(PROGRAM) and all(os.path.exists("%s/mod_%s.so" % (MODULES, m)) for m in modules)


class Apache:
    """As a context manager: .url; the stack's own requests go to it too as long as it runs."""

    def __init__(self, stack, kind):
        self.stack, self.kind = stack, kind
        self.dir = os.path.join(stack.dir, "apache-" + kind)
        self.log = os.path.join(stack.log_dir, "apache-%s.log" % kind)
        self.process, self.own_url, self.left = None, None, {}

    def __enter__(self):
        os.makedirs(os.path.join(self.dir, "cascade"))
        os.makedirs(os.path.join(self.dir, "www"))
        self._copy()
        if not any(self._start() for _ in range(5)):
            with open(self.log) as file:
                raise RuntimeError("Apache did not start:\n" + file.read())
        self.own_url, self.stack.url = self.stack.url, "http://127.0.0.1:%d" % self.port
        return self

    def __exit__(self, *_):
        self.stack.url = self.own_url
        self._end()

    def pids(self):
        """Of every process of it, the workers that it started among them."""
        found, more = [], [self.process.pid]
        while more:
            found += more
            more = [pid for parent in more for pid in self._children(parent)]
        return found

    def workers(self):
        """The workers that serve behind it: its own, or the pool's."""
        if self.kind == "proxy":
            return self._children(self.stack.pid("cascade-fcgi"))
        return [pid for pid in self.pids() if self._name(pid) == "cascade-fcgi"]

    def _children(self, pid):
        try:
            with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
                return [int(child) for child in file.read().split()]
        except FileNotFoundError:
            return []

    def _name(self, pid):
        try:
            with open("/proc/%d/comm" % pid) as file:
                return file.read().strip()
        except FileNotFoundError:
            return None

    def _copy(self):
        sockets = os.path.dirname(self.stack.db_socket)
        program = os.path.join(BUILD or os.path.join(SOURCE, "build"), "cascade-fcgi")
        changes = {
            "errors": [],
            "proxy": [("unix:/run/cascade/fcgi.sock", "unix:%s/fcgi.sock" % sockets)],
            "fcgid": [("/usr/sbin/cascade-fcgi --config /etc/cascade/cascade.conf",
                       "%s --config %s" % (program, self.stack.conf))],
        }
        for name in ("errors", self.kind):
            name_of_file = "cascade-apache-%s.conf" % name
            with open(os.path.join(SOURCE, "nginx", name_of_file), encoding="utf-8") as file:
                text = file.read()
            for old, new in changes[name]:
                assert text.count(old) == 1, old
                text = text.replace(old, new)
            with open(os.path.join(self.dir, "cascade", name_of_file), "w", encoding="utf-8") as file:
                file.write(text)

    def _write_conf(self):
        lines = ["LoadModule %s_module %s/mod_%s.so" % (m, MODULES, m) for m in COMMON + KINDS[self.kind]]
        lines += ["ServerRoot %s" % self.dir, "ServerName cascade.example.org", "Listen 127.0.0.1:%d" % self.port,
                  "PidFile %s/pid" % self.dir, "DefaultRuntimeDir %s" % self.dir, "Mutex file:%s" % self.dir,
                  "ErrorLog %s" % self.log, "LogLevel warn"]
        if self.kind == "fcgid":
            lines += ["FcgidIPCDir %s/fcgid" % os.path.dirname(self.stack.db_socket),
                      "FcgidProcessTableFile %s/processes" % self.dir]
            lines += ['FcgidInitialEnv %s "%s"' % (name, self.stack.env[name]) for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS")]
        lines += ["<VirtualHost *:%d>" % self.port, "DocumentRoot %s/www" % self.dir,
                  "Include cascade/cascade-apache-errors.conf", "Include cascade/cascade-apache-%s.conf" % self.kind,
                  "</VirtualHost>"]
        path = os.path.join(self.dir, "apache2.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        return path

    def _start(self):
        """Somebody may take the port before Apache does; then another one."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = (AS_USER if os.getuid() == 0 else []) + [PROGRAM, "-d", self.dir, "-f", self._write_conf(), "-DFOREGROUND"]
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(command, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(lambda: self.process.poll() is not None or self._listens(), 20)
        if self.process.poll() is None and self._listens():
            return True
        self._end()
        return False

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _end(self):
        """Its processes go with it; what does not is ended and remembered in .left."""
        names = {pid: self._name(pid) for pid in self.pids()}
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        wait_for(lambda: not any(self._name(pid) == name for pid, name in names.items()), 20)
        self.left = {pid: name for pid, name in names.items() if self._name(pid) == name}
        for pid in self.left:
            os.kill(pid, signal.SIGKILL)
