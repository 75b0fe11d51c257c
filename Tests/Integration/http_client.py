"""The HTTP port from outside: answers, and metrics as numbers."""

import http.client
import re
import socket
import subprocess
from decimal import Decimal

import pytest

from conftest import LONG, address

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')


def http_address(server):
    return address(server.ready_line["http"])


def ask(server, path, method="GET", headers=None, body=None):
    """(status, headers, body text) of one request on a connection of its own."""
    connection = http.client.HTTPConnection(*http_address(server), timeout=LONG)
    try:
        connection.request(method, path, headers=headers or {}, body=body)
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def page(server, path):
    status, _, text = ask(server, path)
    assert status == 200, (path, status, text)
    return text


def unescaped(value):
    return re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]), value)


class Metrics:
    """A scrape: {(name, ((label, value), ...)): exact number}."""

    def __init__(self, text):
        self.text = text
        self.samples = {}
        for line in text.split("\n"):
            if not line or line.startswith("#"):
                continue
            name, labels, value = SAMPLE.match(line).groups()
            pairs = LABEL.findall(labels or "")
            assert ",".join(f'{n}="{v}"' for n, v in pairs) == (labels or ""), line
            key = (name, tuple(sorted((n, unescaped(v)) for n, v in pairs)))
            assert key not in self.samples, f"twice: {line}"
            self.samples[key] = Decimal(value)

    def get(self, name, /, **labels):
        return self.samples.get((name, tuple(sorted(labels.items()))))

    def __getitem__(self, name):
        return self.samples[(name, ())]

    def family(self, name):
        """{labels as a dict's items: value} of all samples of a name."""
        return {labels: value for (n, labels), value in self.samples.items() if n == name}

    def series(self):
        """The series of budgets; those of requests come as they are counted."""
        return {key for key in self.samples if "budget" in key[0].replace("budgetd_", "", 1)}


def scrape(server):
    return Metrics(page(server, "/metrics"))


def connect(server, data=b""):
    """A raw connection that has sent `data`."""
    peer = socket.create_connection(http_address(server), LONG)
    peer.sendall(data)
    return peer


def read_all(peer):
    """What comes until the server closes, and whether it closed in good order."""
    received = b""
    try:
        while data := peer.recv(65536):
            received += data
        return received, True
    except ConnectionResetError:
        return received, False


def promtool_check(text):
    try:
        result = subprocess.run(
            ["promtool", "check", "metrics"], input=text, capture_output=True, text=True,
            timeout=LONG)
    except FileNotFoundError:
        pytest.fail("these tests need promtool (apt-get install prometheus)")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", ""), result
