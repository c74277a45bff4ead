#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cascade-node's way to its parent: a client certificate, a proxy, and what is said of wrong ones."""
import os
import select
import socket
import socketserver
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from authority import Authority  # noqa: E402
from cascade import run, wait_for  # noqa: E402
from child import Child, all_are, collect, free_port, journal_of, times  # noqa: E402
from work import clear, dispatch, make_feeds, make_task  # noqa: E402


class Proxy(socketserver.ThreadingTCPServer):
    """An HTTP proxy that knows CONNECT; .asked has where to."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Tunnel)
        self.asked = []
        self.url = "http://127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class Tunnel(socketserver.StreamRequestHandler):
    rbufsize = 0

    def handle(self):
        method, target, _ = self.rfile.readline().decode().split()
        while self.rfile.readline().strip():
            pass
        self.server.asked.append((method, target))
        if method != "CONNECT":
            self.wfile.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            return
        host, port = target.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as far:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            other = {self.connection: far, far: self.connection}
            while True:
                for end in select.select(list(other), [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    other[end].sendall(data)


def demand_certificates(s, authority):
    """A second host of the stack's nginx, for those alone whom AUTHORITY vouches for; its URL."""
    port = free_port()
    directory = os.path.join(os.path.dirname(s.conf), "nginx")
    with open(os.path.join(directory, "vhost.conf")) as file:
        host = file.read().replace("listen 127.0.0.1:" + s.url.rsplit(":", 1)[1], "listen 127.0.0.1:%d" % port)
    with open(os.path.join(directory, "conf.d", "certificates.conf"), "w") as file:
        file.write(host.replace("\tserver_tokens", "\tssl_client_certificate %s;\n\tssl_verify_client on;\n\tserver_tokens" % authority.pem))
    s.stop("nginx")
    s.start("nginx")
    return "https://127.0.0.1:%d" % port


def check(child, **settings):
    """Exit status and output of `check` with other SETTINGS."""
    before = dict(child.settings)
    child.write_conf(**settings)
    done = child.run("check")
    child.settings = before
    child.write_conf()
    return done.returncode, done.stdout


def test_certificate(s, t):
    """a parent that wants a certificate"""
    ours, others = Authority(os.path.join(s.dir, "ours")), Authority(os.path.join(s.dir, "others"))
    url = demand_certificates(s, ours)
    pem, key = ours.certificate("node-1")
    both = ours.path("both.pem")
    with open(both, "w") as file:
        for name in (key, pem):
            with open(name) as part:
                file.write(part.read())
    wrong_pem, wrong_key = others.certificate("node-1")
    journal = journal_of(s, "cert")
    child = Child(s, "cert", collect(journal, 0, 2), url=url, cascade__client_cert=pem, cascade__client_key=key)
    status, text = check(child)
    t.ok(status == 0 and "FAILED" not in text, "check is content with certificate and key", text)
    status, text = check(child, cascade__client_cert=both, cascade__client_key="")
    t.ok(status == 0 and "FAILED" not in text, "and with both in one file", text)
    for what, words, settings in (
            ("no certificate", "cascade.client_cert", {"cascade__client_cert": "", "cascade__client_key": ""}),
            ("that of another authority", "cascade.client_cert", {"cascade__client_cert": wrong_pem, "cascade__client_key": wrong_key}),
            ("a key that is not the certificate's", "cascade.client_key", {"cascade__client_key": wrong_key}),
            ("a file that is none", "cascade.client_cert", {"cascade__client_cert": child.conf}),
            ("a file that is not there", "cascade.client_cert", {"cascade__client_cert": "/nowhere.pem"}),
            ("a parent of another authority", "cascade.ca_file", {"cascade__ca_file": others.pem})):
        status, text = check(child, **settings)
        failed = [line for line in text.splitlines() if line.startswith("FAILED")]
        t.ok(status == 76 and len(failed) == 1 and failed[0].split()[1] == "tls" and words in text, "check names it: " + what,
             status, text)
        t.note(failed[0] if failed else text)
    make_task(s, "cert", make_feeds(s, 4))
    dispatch(s, "cert")
    with child:
        t.ok(wait_for(lambda: all_are(s, "cert"), 40), "the child works", child.log_text())
    t.eq(set(times(journal, "begin").values()), {1}, "each once")
    child.write_conf(cascade__client_cert=wrong_pem, cascade__client_key=wrong_key)
    make_task(s, "wrong", make_feeds(s, 2, first=50))
    dispatch(s, "wrong")
    with child:
        t.ok(wait_for(lambda: child.status() and child.status()["parent"]["error"], 20), "with a wrong one it waits")
        t.note(child.run("status").stdout)
        child.write_conf(cascade__client_cert=pem, cascade__client_key=key)
        child.kill(1)
        t.ok(wait_for(lambda: all_are(s, "wrong"), 40), "and works when it is put right", child.log_text())
    clear(s)


def test_proxy(s, t):
    """a proxy on the way"""
    proxy = Proxy()
    journal = journal_of(s, "proxy")
    make_task(s, "proxy", make_feeds(s, 4, first=100))
    dispatch(s, "proxy")
    child = Child(s, "proxy", collect(journal, 0, 2), cascade__proxy=proxy.url)
    status, text = check(child)
    t.ok(status == 0 and len(proxy.asked) == 1, "check goes through it", status, text, proxy.asked)
    with child:
        t.ok(wait_for(lambda: all_are(s, "proxy"), 40), "the child works", child.log_text())
        t.eq(set(proxy.asked), {("CONNECT", s.url.split("//")[1])}, "all of it through the proxy, which sees no more than the address")
        t.ok(len(proxy.asked) < 10, "its connections are kept", len(proxy.asked))
        proxy.close()
    status, text = check(child)
    t.ok(status == 69 and "cascade.proxy" in text, "check says it when the proxy is away", status, text)
    clear(s)


run(test_certificate, test_proxy, tls=True, workers=4, env={"CASCADE_DISPATCH_PREFER": "1s"})
