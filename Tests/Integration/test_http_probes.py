"""Probes and scrapes of the HTTP port while others hold all the connections that there are."""

import contextlib
import http.client
import socket
import threading
import time

import pytest

from conftest import LONG, OK, code_of, config_text, eventually
from http_client import ask, connect, http_address, scrape

PROVIDERS = {"openai": (10, "1d")}
# A page of some megabytes, past what sockets take by themselves.
TAGS = {f"tag-{n:05}-{'x' * 100}": (1, "1d") for n in range(10_000)}
GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
CROWD = 100
PROBE = 2  # seconds: what a prober gives a node


def silent(server, _stop):
    """Says nothing."""
    return connect(server)


def dripping(server, stop):
    """Sends a byte now and then, more often than its request could time out."""
    peer = connect(server, b"GET / HTTP/1.1\r\n")

    def drip():
        with contextlib.suppress(OSError):
            while not stop.wait(0.2):
                peer.sendall(b"X")

    threading.Thread(target=drip, daemon=True).start()
    return peer


def deaf(server, _stop, then=lambda peer: None):
    """Asks for a large page and reads none of it."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    peer.settimeout(LONG)
    peer.connect(http_address(server))
    peer.sendall(GET % b"/metrics")
    then(peer)
    return peer


def sipping(server, stop):
    """Reads a byte of it every twentieth of a second."""
    def sip(peer):
        def read():
            with contextlib.suppress(OSError):
                while not stop.wait(0.05) and peer.recv(1):
                    pass
        threading.Thread(target=read, daemon=True).start()

    return deaf(server, stop, sip)


def polling(server, stop):
    """Asks again and again on one connection."""
    peer = connect(server)

    def poll():
        with contextlib.suppress(OSError):
            while not stop.wait(0.02):
                peer.sendall(GET % b"/healthz")
                if not peer.recv(4_096):
                    return

    threading.Thread(target=poll, daemon=True).start()
    return peer


@pytest.mark.parametrize("kind", [silent, dripping, deaf, sipping, polling])
def test_probes_get_in_whoever_holds_the_connections(start, kind):
    server = start(config_text(PROVIDERS, TAGS if kind in (deaf, sipping) else None))
    stop = threading.Event()
    with contextlib.ExitStack() as stack:
        stack.callback(stop.set)
        crowd = [stack.enter_context(kind(server, stop)) for _ in range(CROWD)]
        for path in ("/healthz", "/readyz") * 5:
            began = time.monotonic()
            assert ask(server, path)[0] == 200
            took = time.monotonic() - began
            assert took < PROBE, f"{path} took {took} s"
        metrics = scrape(server)
        assert metrics["budgetd_http_connections"] <= 64
        assert metrics.get("budgetd_http_bounds_hit_total", bound="connections") > 0
        assert code_of(server.call(ping={})) == OK
        assert len(crowd) == CROWD


def test_one_that_comes_costs_one_and_not_more(start):
    """64 that ask nothing, and one more: 63 of them stay."""
    server = start(config_text(PROVIDERS))
    with contextlib.ExitStack() as stack:
        idle = []
        for _ in range(64):
            idle.append(stack.enter_context(connect(server, GET % b"/healthz")))
            assert b"keep-alive" in idle[-1].recv(4_096)
        assert ask(server, "/healthz")[0] == 200
        for peer in idle:
            peer.setblocking(False)

        def closed():
            count = 0
            for peer in idle:
                try:
                    count += peer.recv(4_096) == b""
                except BlockingIOError:
                    pass
            return count

        assert eventually(closed) == 1


def test_a_response_under_way_is_not_cut_for_those_who_wait(start):
    """Readers that read get all of a large page, though others wait all the time."""
    server = start(config_text(PROVIDERS, TAGS))
    stop = threading.Event()
    with contextlib.ExitStack() as stack:
        stack.callback(stop.set)
        for _ in range(CROWD):
            stack.enter_context(silent(server, stop))
        for _ in range(5):
            assert len(scrape(server).text) > 1_000_000
        connection = http.client.HTTPConnection(*http_address(server), timeout=LONG)
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
        connection.close()


def test_probes_get_in_while_rpc_connections_take_all_descriptors(start):
    """RPC connections leave descriptors to the rest of the process."""
    server = start(config_text(PROVIDERS), prefix=["prlimit", "--nofile=96:96"])
    with server.client() as client, contextlib.ExitStack() as stack:
        assert code_of(client.call(ping={})) == OK
        crowd = [stack.enter_context(server.client()) for _ in range(150)]
        for path in ("/healthz", "/readyz", "/metrics"):
            assert ask(server, path)[0] == 200
        assert code_of(client.call(ping={})) == OK
        assert code_of(client.call(record_spend=dict(provider="openai", cost_usd=0.5))) == OK
        refused = scrape(server).get("budgetd_connections_refused_total", reason="bound")
        assert refused > 50
        for one in crowd:
            one.close()

    def is_taken():
        # Those that went may still count.
        with contextlib.suppress(ConnectionError, EOFError, AssertionError):
            return code_of(server.call(ping={})) == OK

    eventually(is_taken, what="connections are taken again")


def test_peers_that_reset_leave_nothing_behind(start):
    server = start(config_text(PROVIDERS, TAGS))
    before = server.descriptors()
    linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
    for _ in range(200):
        for address, data in ((http_address(server), GET % b"/metrics"), (server.rpc, b"\0\0")):
            peer = socket.create_connection(address, LONG)
            peer.sendall(data)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            peer.close()
    assert ask(server, "/healthz")[0] == 200
    assert code_of(server.call(ping={})) == OK
    eventually(lambda: server.descriptors() <= before + 2, LONG, "their descriptors are closed")
