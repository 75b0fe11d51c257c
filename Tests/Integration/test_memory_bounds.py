"""Memory over all connections: peers that do not read, requests that do not end, limits of the process.
What they take is bounded, comes back, and others are served meanwhile."""

import contextlib
import os
import socket
import time
from pathlib import Path

import pytest

from budget_client import pb
from conftest import LONG, OK, code_of, config_text, eventually
from http_client import scrape
from wire_bytes import frame, varint

MIB = 1 << 20
# Each answer to GetProviderBudgets has a few hundred kilobytes.
CONFIG = config_text({f"{'p' * 240}-{i}": (1.0, "1d") for i in range(1_000)}, {"red": (5.0, "1d")})
ASK = pb.Request(get_provider_budgets={}).SerializeToString()


def questions(count):
    """Pipelined requests of a dozen bytes each."""
    return b"".join(frame(b"\x08" + varint(i) + ASK) for i in range(1, count + 1))


def deaf_peer(server, data):
    """A connection that sends, and reads nothing."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    peer.settimeout(LONG)
    peer.connect(server.rpc)
    # One that is closed meanwhile is what the bound is for.
    with contextlib.suppress(ConnectionError):
        peer.sendall(data)
    return peer


def memory_group(limit):
    """A cgroup of one's own with so much memory: its file of processes; None where none can be made."""
    for root, name in ((Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
                       (Path("/sys/fs/cgroup"), "memory.max")):
        group = root / f"budgetd-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / name).write_text(str(limit))
            return group / "cgroup.procs"
        except OSError:
            group.rmdir()
    return None


@pytest.fixture
def limited(start):
    """limited(kind, MiB) -> a server that may have so much memory, and not more."""
    groups = []

    def start_limited(kind, mebibytes, *arguments):
        limit = mebibytes * MIB
        processes = memory_group(limit) if kind == "cgroup" else None
        if processes is None:  # where no group can be made, its limit is RLIMIT_DATA's
            option = "as" if kind == "address space" else "data"
            return start(CONFIG, *arguments, prefix=["prlimit", f"--{option}={limit}"])
        server = start(CONFIG, *arguments, prefix=[
            "sh", "-c", f'echo $$ > {processes} && exec "$@"', "sh"])
        groups.append((server, processes.parent))
        return server

    yield start_limited
    for server, group in groups:
        server.stop()

        def is_removed(group=group):
            with contextlib.suppress(OSError):
                group.rmdir()
            return not group.exists()
        eventually(is_removed, LONG, f"{group} has no process any more")


@pytest.mark.parametrize("kind", ["address space", "cgroup"])
def test_sixty_peers_that_read_nothing_under_300_mib(limited, kind):
    server = limited(kind, 293, "--stall-timeout", "600")
    bound = 293 * MIB // 8
    assert scrape(server)["budgetd_unsent_bound_bytes"] == pytest.approx(bound, abs=1)
    with server.client() as client, contextlib.ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(deaf_peer(server, questions(100)))
            assert code_of(client.call(ping={})) == OK
        eventually(lambda: scrape(server).get(
            "budgetd_connections_stopped_total", bound="total") > 0, LONG, "peers are stopped")
        until = time.monotonic() + 3
        while time.monotonic() < until:
            response = client.call(get_provider_budgets={})
            assert len(response.get_provider_budgets.providers) == 1_000
            response = client.call(record_spend=dict(cost_usd=0.001, tags=["red"]))
            assert code_of(response) == OK
            assert scrape(server)["budgetd_unsent_bytes"] <= bound + 4 * MIB
    assert server.process.poll() is None, server.log[-2000:]


def test_a_hundred_and_fifty_take_what_the_bound_says_and_give_it_back(start):
    server = start(CONFIG, "--max-unsent-total", str(64 * MIB), "--stall-timeout", "600")
    # What the first requests need stays.
    for _ in range(3):
        server.budgets()
        scrape(server)
    before = server.rss_kib()
    highest = 0
    with server.client() as client, contextlib.ExitStack() as stack:
        for _ in range(150):
            stack.enter_context(deaf_peer(server, questions(100)))
            highest = max(highest, server.rss_kib())
            assert code_of(client.call(ping={})) == OK
        for _ in range(50):
            assert code_of(client.call(get_provider_budgets={})) == OK
            highest = max(highest, server.rss_kib())
        assert scrape(server)["budgetd_unsent_bytes"] > 32 * MIB
    assert highest - before < 110 * 1024, f"{(highest - before) // 1024} MiB more"
    eventually(lambda: scrape(server)["budgetd_unsent_bytes"] == 0, LONG, "nobody holds anything")
    eventually(lambda: server.rss_kib() - before < 16 * 1024, LONG,
               f"memory is given back: from {before} KiB to {highest}")


def test_requests_that_do_not_end_are_bounded_together(start):
    """400 peers send all but the last byte of a request of 256 KiB: 100 MiB, if nobody counted."""
    server = start(CONFIG, "--max-unsent-total", str(16 * MIB), "--frame-timeout", "600")
    before = server.rss_kib()
    half = (256 * 1024).to_bytes(4, "big") + b"\x12" + b"x" * (200 * 1024)
    with server.client() as client, contextlib.ExitStack() as stack:
        client.socket.sendall(frame(b"\x08\x01" + ASK)[:6])
        for _ in range(400):
            stack.enter_context(deaf_peer(server, half))
        closed = eventually(lambda: (n := scrape(server).get(
            "budgetd_connections_closed_total", cause="memory")) > 300 and n, LONG, "closed")
        metrics = scrape(server)
        assert metrics["budgetd_unsent_bytes"] <= 16 * MIB
        assert metrics.get("budgetd_bounds_hit_total", bound="unsent_total") == closed
        # The small one is not among them: it ends its request and is answered.
        client.socket.sendall(frame(b"\x08\x01" + ASK)[6:])
        assert code_of(client.receive()) == OK
        assert server.rss_kib() - before < 64 * 1024
        lines = [line for line in server.log.splitlines() if "--max-unsent-total" in line]
        assert len(lines) == 1, "one line a minute"


def test_a_peer_that_reads_late_gets_everything(start):
    """Stopped for what others hold as well, and read again once it has taken its part."""
    server = start(CONFIG, "--max-unsent-total", str(16 * MIB), "--stall-timeout", "60")
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(deaf_peer(server, questions(100)))
        with server.client() as client:
            sent = [client.send(get_provider_budgets={}) for _ in range(60)]
            eventually(lambda: scrape(server).get(
                "budgetd_connections_stopped_total", bound="total") >= 11, LONG, "stopped")
            assert [client.receive().call_id for _ in sent] == sent


@pytest.mark.parametrize("value", ["0", "8388607", "1099511627777", "64MiB"])
def test_a_bound_that_cannot_be(budgetd, tmp_path, value):
    from conftest import run
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    result = run(budgetd, "--config", config, "--data-dir", tmp_path / "data",
                 "--max-unsent-total", value)
    assert result.returncode == 64 and "max-unsent-total" in result.stderr, result


def test_too_few_addresses_for_a_node(budgetd, start, tmp_path):
    """Threads that cannot be made would leave it ready, and without an answer."""
    from conftest import run
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    for mebibytes in (100, 130, 191):
        result = run("prlimit", f"--as={mebibytes * MIB}", budgetd, "--config", config,
                     "--data-dir", tmp_path / "data", "--listen", "127.0.0.1:0", "--http", "off")
        assert result.returncode == 69, result
        assert f"(ulimit -v, RLIMIT_AS) is {mebibytes * MIB} bytes: give " in result.stderr, result
    server = start(CONFIG, prefix=["prlimit", f"--as={192 * MIB}"])
    assert server.call(ping={}).ping.ready
    assert code_of(server.call(record_spend=dict(cost_usd=1, tags=["red"]))) == OK
    assert scrape(server)["budgetd_ready"] == 1
