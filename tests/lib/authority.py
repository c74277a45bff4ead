# SPDX-License-Identifier: MIT
"""Certificate authorities of a test's own, and the certificates that they make."""
import os
import subprocess

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


class Authority:
    """An authority below DIRECTORY, which it makes."""

    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory)
        self.pem, self.key = self.path("ca.pem"), self.path("ca.key")
        openssl("req", "-x509", *NEW_KEY, "-days", "30", "-subj", "/CN=authority " + os.path.basename(directory),
                "-keyout", self.key, "-out", self.pem)

    def path(self, name):
        return os.path.join(self.directory, name)

    def certificate(self, name, of=None):
        """Files of a certificate and its key; OF: whose it is as servers', as in IP:127.0.0.1 or DNS:HOST."""
        key, request, pem = self.path(name + ".key"), self.path(name + ".csr"), self.path(name + ".pem")
        openssl("req", *NEW_KEY, "-subj", "/CN=" + name, *(["-addext", "subjectAltName=" + of] if of else []),
                "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.key, "-CAcreateserial", "-days", "30",
                "-copy_extensions", "copy", "-out", pem)
        return pem, key
