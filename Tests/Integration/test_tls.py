"""Encryption of the RPC port and of pages, seen by openssl, Python's ssl, curl's kind and budgetctl."""

import http.client
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from budget_client import Client, pb
from certificates import Certificates
from conftest import eventually, run
from http_client import http_address
from test_metrics import documented_names

CONFIG = """
router_settings:
  provider_budget_config:
    openai: {budget_limit: 10, time_period: 1d}
"""


@pytest.fixture
def certificates(tmp_path):
    return Certificates(tmp_path / "certificates")


class SecureClient(Client):
    """The page's client over TLS."""

    def __init__(self, address, context, name="localhost", timeout=20):
        plain = socket.create_connection(address, timeout)
        self.socket = context.wrap_socket(plain, server_hostname=name)
        self.reader = self.socket.makefile("rb")
        self.last_call_id = 0


def context_of(certificates, identity=None):
    context = ssl.create_default_context(cafile=certificates.root)
    if identity:
        context.load_cert_chain(*identity)
    return context


def start_secure(start, certificates, *arguments, identity=None, **options):
    certificate, key = identity or certificates.server()
    return start(CONFIG, "--tls-cert", str(certificate), "--tls-key", str(key), *arguments, **options)


def page(server, context, path, timeout=10):
    connection = http.client.HTTPSConnection(*http_address(server), context=context, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def handshakes(server, context, port="rpc"):
    """The counts that are not zero, by result."""
    found = {}
    for line in page(server, context, "/metrics")[1].splitlines():
        if line.startswith(f'budgetd_tls_handshakes_total{{port="{port}"'):
            name, count = line.rsplit(" ", 1)
            if float(count):
                found[name.split('result="')[1].split('"')[0]] = int(float(count))
    return found


def s_client(server, *arguments, stdin=b""):
    host, port = server.rpc
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"{host}:{port}", *map(str, arguments)],
        input=stdin, capture_output=True, timeout=20)
    return (done.stdout + done.stderr).decode(errors="replace")


def test_a_record_and_a_filter_over_tls(start, certificates):
    server = start_secure(start, certificates)
    with SecureClient(server.rpc, context_of(certificates)) as client:
        assert client.socket.version() == "TLSv1.3"
        assert client.call(record_spend=dict(provider="openai", cost_usd=11)).status.code == 0
        answer = client.call(filter_deployments=dict(deployments=[dict(id="a", provider="openai")]))
        assert answer.status.code == pb.Status.RESOURCE_EXHAUSTED
        assert client.socket.session is None or not client.socket.session.has_ticket
    assert handshakes(server, context_of(certificates)) == {"ok": 1}


def test_many_frames_and_long_replies(start, certificates):
    """More than one record each way, against a reader that is slow."""
    server = start_secure(start, certificates)
    with SecureClient(server.rpc, context_of(certificates)) as client:
        calls = [client.send(get_provider_budgets={}) for _ in range(3000)]
        time.sleep(0.3)  # Not a hope: the length of the reader's pause.
        assert [client.receive().call_id for _ in calls] == calls


def test_one_byte_at_a_time(start, certificates):
    """Records and frames that come in single bytes, through a proxy that cuts them so."""
    server = start_secure(start, certificates)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    codec = context_of(certificates).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(server.rpc, 20) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def drip():
            for byte in outgoing.read():
                wire.sendall(bytes([byte]))

        def step(operation):
            while True:
                try:
                    return operation()
                except ssl.SSLWantReadError:
                    drip()
                    data = wire.recv(65536)
                    assert data, "the server left"
                    incoming.write(data)

        step(codec.do_handshake)
        message = pb.Request(call_id=7, ping={}).SerializeToString()
        codec.write(struct.pack(">I", len(message)) + message)
        drip()
        (length,) = struct.unpack(">I", step(lambda: codec.read(4)))
        assert pb.Response.FromString(step(lambda: codec.read(length))).call_id == 7


def shake_hands(codec, wire, incoming, outgoing):
    """Up to the client's last message, which is not sent yet."""
    while True:
        try:
            return codec.do_handshake()
        except ssl.SSLWantReadError:
            wire.sendall(outgoing.read())
            incoming.write(wire.recv(65536))


def test_the_end_of_the_handshake_and_frames_in_one_segment(start, certificates):
    server = start_secure(start, certificates)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    codec = context_of(certificates).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(server.rpc, 20) as wire:
        shake_hands(codec, wire, incoming, outgoing)
        for call_id in (1, 2, 3):
            message = pb.Request(call_id=call_id, ping={}).SerializeToString()
            codec.write(struct.pack(">I", len(message)) + message)
        wire.sendall(outgoing.read())  # Finished and three frames.
        answered, ids = b"", []
        while len(ids) < 3:
            incoming.write(wire.recv(65536))
            try:
                while True:
                    answered += codec.read(65536)
            except ssl.SSLWantReadError:
                pass
            while len(answered) >= 4:
                (length,) = struct.unpack(">I", answered[:4])
                if len(answered) < 4 + length:
                    break
                ids.append(pb.Response.FromString(answered[4:4 + length]).call_id)
                answered = answered[4 + length:]
        assert ids == [1, 2, 3]


@pytest.mark.parametrize("with_finished", [True, False])
def test_requests_for_pages_and_a_goodbye_in_one_segment(start, certificates, with_finished):
    """All that came before the goodbye is answered, whatever it came together with."""
    server = start_secure(start, certificates)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    codec = context_of(certificates).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(http_address(server), 20) as wire:
        shake_hands(codec, wire, incoming, outgoing)
        if not with_finished:
            # An answer shows that the handshake is over there too.
            codec.write(b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wire.sendall(outgoing.read())
            incoming.write(wire.recv(65536))
            assert codec.read(65536).startswith(b"HTTP/1.1 200 ")
        codec.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
        with pytest.raises(ssl.SSLWantReadError):
            codec.unwrap()
        wire.sendall(outgoing.read())
        answered = b""
        while data := wire.recv(65536):
            incoming.write(data)
            try:
                while more := codec.read(65536):
                    answered += more
            except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                pass
        assert answered.count(b"HTTP/1.1 200 ") == 2, answered


class TestRefusals:
    """Each alert by its number, as real openssl sees it, and how it is counted."""

    @pytest.fixture
    def server(self, start, certificates):
        return start_secure(start, certificates, "--tls-client-ca", str(certificates.root),
                            "--http-tls", "off")

    def counted(self, server):
        connection = http.client.HTTPConnection(*http_address(server), timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return {
            line.split('result="')[1].split('"')[0]: int(float(line.rsplit(" ", 1)[1]))
            for line in text.splitlines()
            if line.startswith("budgetd_tls_handshakes_total{") and not line.endswith(" 0")}

    def test_tls_1_2(self, server, certificates):
        assert "alert number 70" in s_client(server, "-tls1_2")
        eventually(lambda: self.counted(server) == {"protocol": 1}, what="the count")

    def test_no_certificate(self, server):
        assert "alert number 116" in s_client(server, "-ign_eof", stdin=b"x")
        eventually(lambda: self.counted(server) == {"no_certificate": 1}, what="the count")

    @pytest.mark.parametrize("name, alert, result", [
        ("stranger", 48, "unknown_ca"), ("expired", 45, "expired"), ("purpose", 43, "purpose")])
    def test_a_certificate_that_is_not_taken(self, server, certificates, name, alert, result):
        made = {
            "stranger": lambda: certificates.leaf(
                "x", use="clientAuth", by=certificates.new_root("stranger")),
            "expired": lambda: certificates.leaf("x", use="clientAuth", days=-1),
            "purpose": lambda: certificates.leaf("x", use="serverAuth"),
        }[name]()
        text = s_client(server, "-cert", made[0], "-key", made[1], "-ign_eof", stdin=b"x")
        assert f"alert number {alert}" in text
        eventually(lambda: self.counted(server) == {result: 1}, what="the count")
        eventually(lambda: "a TLS handshake with 127.0.0.1 failed" in server.log, what="the line")

    def test_one_that_is_taken(self, server, certificates):
        identity = certificates.leaf("router", names="DNS:router.example.org", use="clientAuth")
        with SecureClient(server.rpc, context_of(certificates, identity)) as client:
            assert client.call(ping={}).status.code == 0

    def test_frames_and_http_in_the_clear(self, server):
        for bytes_ in (struct.pack(">I", 3) + b"abc" * 3, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
            with socket.create_connection(server.rpc, 10) as wire:
                wire.sendall(bytes_)
                try:
                    while wire.recv(4096):
                        pass
                except ConnectionResetError:
                    pass
        eventually(lambda: self.counted(server) == {"plaintext": 2}, what="the count")


def test_tls_and_http_at_the_port_in_the_clear(start, certificates):
    server = start(CONFIG)
    for _ in range(3):
        s_client(server, "-CAfile", certificates.root)
        with socket.create_connection(server.rpc, 10) as wire:
            wire.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert b"pages and metrics are at --http" in wire.recv(4096)
    eventually(lambda: "spoken to in TLS" in server.log and "spoken to in HTTP" in server.log,
               what="the lines")
    assert server.log.count("spoken to in TLS") == 1 and server.log.count("in HTTP") == 1
    assert "--tls-cert" in server.log


def test_a_cut_is_told_from_a_goodbye(start, certificates):
    server = start_secure(start, certificates)
    context = context_of(certificates)

    def cuts():
        for line in page(server, context, "/metrics")[1].splitlines():
            if line.startswith("budgetd_tls_truncated_total "):
                return int(float(line.split()[1]))

    with SecureClient(server.rpc, context) as client:
        client.call(ping={})
        client.socket.unwrap()
    assert cuts() == 0
    client = SecureClient(server.rpc, context)
    client.call(ping={})
    client.reader.close()
    os.close(client.socket.detach())
    eventually(lambda: cuts() == 1, what="the cut is counted")


def test_a_bad_pair_leaves_the_old_one_and_connections_go_on(start, certificates):
    identity = certificates.server()
    server = start_secure(start, certificates, identity=identity)
    good = [path.read_text() for path in identity]
    other = [path.read_text() for path in certificates.server("other")]

    def serial():
        with SecureClient(server.rpc, context_of(certificates)) as client:
            return client.socket.getpeercert()["serialNumber"]

    first = serial()
    with SecureClient(server.rpc, context_of(certificates)) as old:
        old.call(ping={})
        for certificate, key in [("garbage", good[1]), (other[0], good[1])]:
            lines = server.log.count("reload of the certificate refused")
            identity[0].write_text(certificate)
            identity[1].write_text(key)
            server.process.send_signal(signal.SIGHUP)
            eventually(lambda: server.log.count("reload of the certificate refused") > lines,
                       what="the refusal")
            assert serial() == first
            refused = old.call(reload_config={}).status
            assert refused.code == 9 and "the certificate is refused" in refused.message, refused
        identity[0].write_text(other[0])
        identity[1].write_text(other[1])
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: serial() != first, what="the new certificate")
        assert old.call(ping={}).status.code == 0


@pytest.mark.parametrize("arguments, words", [
    (["--tls-cert", "{cert}"], "--tls-cert needs --tls-key"),
    (["--tls-key", "{key}"], "--tls-key needs --tls-cert"),
    (["--tls-client-ca", "{cert}"], "--tls-client-ca needs"),
    (["--tls-cert", "{cert}", "--tls-key", "{other}"], "mismatch"),
    (["--tls-cert", "{over}", "--tls-key", "{over_key}"], "the certificate is over"),
    (["--tls-cert", "{cert}", "--tls-key", "{open}"], "chmod 600"),
    (["--tls-cert", "/nowhere", "--tls-key", "{key}"], "/nowhere"),
])
def test_a_start_that_cannot_be(budgetd, certificates, tmp_path, arguments, words):
    cert, key = certificates.server()
    over, over_key = certificates.server("over", days=-1)
    _, readable = certificates.server("readable")
    readable.chmod(0o644)
    places = dict(cert=cert, key=key, other=certificates.server("other")[1], over=over,
                  over_key=over_key, open=readable)
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    done = run(budgetd, "--config", config, "--listen", "127.0.0.1:0", "--http", "off", "--data-dir",
               tmp_path / "data", *[part.format(**places) for part in arguments])
    assert done.returncode in (64, 78)
    assert words in done.stderr and done.stderr.count("\n") == 1


def test_pages_are_encrypted_and_metrics_documented(start, certificates):
    server = start_secure(start, certificates, "--tls-client-ca", str(certificates.root),
                          "--tls-client", "optional")
    context = context_of(certificates)
    status, text = page(server, context, "/metrics")
    assert status == 200
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    documented = {name for name in documented_names() if "_tls_" in name}
    assert documented and documented == {name for name in families if "_tls_" in name}
    assert 'use="server"' in text and 'use="client_ca"' in text
    for path in ("/", "/budgets", "/readyz", "/history.json"):
        assert page(server, context, path)[0] in (200, 400, 404)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        plain = http.client.HTTPConnection(*http_address(server), timeout=10)
        plain.request("GET", "/readyz")
        plain.getresponse()


def test_a_certificate_that_ends_soon_is_warned_of(start, certificates):
    identity = certificates.server(days=3)
    server = start_secure(start, certificates, identity=identity)
    assert re.search(r"ends in [23] days", page(server, context_of(certificates), "/readyz")[1])


def test_reloads_under_load_lose_nothing(start, certificates):
    server = start_secure(start, certificates)
    stop = threading.Event()
    counts, faults = [0] * 4, []

    def load(number):
        context = context_of(certificates)
        try:
            with SecureClient(server.rpc, context) as client:
                while not stop.is_set():
                    client.call(record_spend=dict(provider="openai", cost_usd=0.001))
                    counts[number] += 1
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=load, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for number in range(100):
        server.process.send_signal(signal.SIGHUP)
        before = sum(counts)
        eventually(lambda: sum(counts) > before + 8 or faults, what="records go on")
    stop.set()
    for thread in threads:
        thread.join(20)
    assert faults == []
    with SecureClient(server.rpc, context_of(certificates)) as client:
        budget = client.call(get_provider_budgets={}).get_provider_budgets.providers[0]
        assert abs(budget.spend_usd - 0.001 * sum(counts)) < 1e-9


def test_silent_peers_do_not_keep_others_out(start, certificates):
    server = start_secure(start, certificates)
    silent = [socket.create_connection(server.rpc, 10) for _ in range(400)]
    try:
        with SecureClient(server.rpc, context_of(certificates)) as client:
            assert client.call(ping={}).status.code == 0
    finally:
        for one in silent:
            one.close()


def test_budgetctl_speaks_it(start, certificates, budgetctl):
    server = start_secure(start, certificates, "--tls-client-ca", str(certificates.root))
    address = "{}:{}".format(*server.rpc)
    identity = certificates.leaf("ops", use="clientAuth")
    known = ["--tls-ca", certificates.root, "--tls-cert", identity[0], "--tls-key", identity[1]]
    assert "ready" in run(budgetctl, "ping", "--server", address, *known).stdout
    refused = run(budgetctl, "ping", "--server", address, "--tls")
    assert refused.returncode == 69 and "trusted root" in refused.stderr
    refused = run(budgetctl, "ping", "--server", address, *known, "--server-name", "example.org")
    assert refused.returncode == 69 and "another name" in refused.stderr
    refused = run(budgetctl, "ping", "--server", address, "--tls-ca", certificates.root)
    assert refused.returncode == 69 and "refused" in refused.stderr
    done = run(budgetctl, "bench", "--server", address, *known, "--seconds", "0.3", "--warm-up", "0.1",
               "--connections", "2")
    assert done.returncode == 0 and "filter_deployments" in done.stdout
