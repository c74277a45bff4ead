#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The example host with TLS, as it is shipped but for its paths."""
import http.client
import os
import ssl
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from cascade import GUIDE, WERSS, run  # noqa: E402


def test_tls(s, t):
    """over TLS"""
    t.ok(s.url.startswith("https://127.0.0.1:"), "CASCADE_URL says so", s.url)
    t.eq(s.http("GET", "/readyz").status, 200, "ready, the certificate verified by CASCADE_CA")
    for mount, code in ((GUIDE, 200), (WERSS, 0)):
        t.eq(s.admin(mount=mount).get("/nodes")["code"], code, "the mount " + mount)
    answer = s.http("GET", "/healthz")
    t.ok("max-age" in answer["@Strict-Transport-Security"], "HSTS", str(answer.headers))


def test_plain(s, t):
    """what is refused"""
    where = urllib.parse.urlsplit(s.url)
    plain = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
    plain.request("GET", "/readyz")
    answer = plain.getresponse()
    t.eq(answer.status, 400, "plain HTTP")
    t.eq(answer.headers["Content-Type"], "application/json", "with the envelope")
    plain.close()
    s.ca = None
    try:
        s.http("GET", "/readyz")
        t.ok(False, "a CA nobody named is not trusted")
    except ssl.SSLCertVerificationError:
        t.ok(True, "a CA nobody named is not trusted")


run(test_tls, test_plain, tls=True, cascaded=False, workers=1)
