# SPDX-License-Identifier: MIT
"""A small HTTP(S) server that notes what it is sent: the /notify of children, and the robots of alerts."""
import hashlib
import hmac
import http.server
import json
import re
import ssl
import threading
import time


class Call:
    """A request that came in."""

    def __init__(self, handler, body):
        self.at = time.monotonic()
        self.path = handler.path
        self.headers = dict(handler.headers)
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def is_signed(self, secret):
        """By whoever knows the hash of SECRET; reckoned here without our own code."""
        found = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", self.headers.get("X-Cascade-Signature", ""))
        if not found or abs(int(found[1]) - time.time()) > 300:
            return False
        key = hashlib.sha256(secret.encode()).hexdigest().encode()
        return hmac.new(key, found[1].encode() + b"." + self.body, hashlib.sha256).hexdigest() == found[2]


class Listener(http.server.ThreadingHTTPServer):
    """ANSWERS: path -> (status, body), or a function of the Call; "/hang..." never answers."""

    request_queue_size = 1024
    daemon_threads = True

    def __init__(self, answers=None, certificate=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = answers or {}
        self.calls = []
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def url(self, path="/notify", host="127.0.0.1"):
        return "%s://%s:%d%s" % (self.scheme, host, self.server_port, path)

    def to(self, path):
        """The calls of PATH, without their queries."""
        with self.lock:
            return [c for c in self.calls if c.path.split("?")[0] == path]

    def close(self):
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, *_):
        pass  # who hangs up on us may


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        call = Call(self, self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        with self.server.lock:
            self.server.calls.append(call)
        path = self.path.split("?")[0]
        if path.startswith("/hang"):
            self.server.closing.wait(600)
            self.close_connection = True
            return
        answer = self.server.answers.get(path, (200, "{}"))
        answer = answer(call) if callable(answer) else answer
        self.send_response(answer[0])
        for name, value in (answer[2] if len(answer) > 2 else {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer[1].encode())))
        self.end_headers()
        self.wfile.write(answer[1].encode())

    def log_message(self, *_):
        pass
