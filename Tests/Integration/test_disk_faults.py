"""A disk that fails under a running service: what is answered, what still works, what is true
afterwards. strace makes the calls fail; a small tmpfs is full for real."""

import collections
import os
import random
import struct
import threading
import time
from decimal import Decimal

import pytest

from budget_client import pb
from conftest import LONG, OK, SHORT, code_of, config_text, eventually, name_of
from faults import SmallDisk, inject
from ledger_clients import (
    ACKNOWLEDGED, CONFIG, FRESH, Books, Load, Pipeline, filters,
    in_threads, ping, ready, spends)

SEED = int(os.environ.get("BUDGETD_SEED", time.time_ns() % 10**6))


class Watched(Books):
    """Books that also count the answers by name."""

    def __init__(self, seed):
        super().__init__(seed)
        self.answers = {}

    def settle(self, record, response):
        name = name_of(response) if response is not None else "no answer"
        with self.changed:
            self.answers[name] = self.answers.get(name, 0) + 1
        return super().settle(record, response)


@pytest.fixture
def books():
    return Watched(SEED)


def acknowledge(server, books, count=50):
    with Load(server.rpc, books):
        books.wait_for(count)


def one(server, books, rng):
    """Records once; returns the answer."""
    with Pipeline(server.rpc) as pipeline:
        ((record, response),) = pipeline.exchange([books.new(rng)])
    books.settle(record, response)
    assert response is not None, "no answer"
    return response


def recovers(server, books, rng):
    eventually(lambda: code_of(one(server, books, rng)) == OK, LONG, "records again")
    ready(server)
    acknowledge(server, books)


def again(start, server, books, directory, config=CONFIG):
    """The books hold now, after a kill, and after a proper stop."""
    books.audit(server)
    server.kill()
    server = start(config, directory=directory)
    books.audit(server)
    server.stop()
    server = start(config, directory=directory)
    books.audit(server)


def failed_once(start, tmp_path, call, error, **load):
    """A server, its directory and books after one injected failure that met a client's batch. The
    ledger commits for itself too (it folds balances in): if that was hit, once more, elsewhere."""
    for attempt in range(4):
        books, directory = Watched(SEED + attempt), tmp_path / f"node{attempt}"
        server = start(CONFIG, directory=directory)
        with Load(server.rpc, books, **load):
            books.wait_for(50)
            with inject(server, tmp_path / "trace", call, f"error={error}:when=7") as trace:
                eventually(trace.injected, SHORT, f"a failed {call}")
        print(f"answers around one {call} that failed with {error}: {books.answers}")
        if set(books.answers) != {"OK"}:
            return server, directory, books
        again(start, server, books, directory)
    raise AssertionError(f"no batch was hit by a failed {call}")


@pytest.mark.parametrize(("call", "error"), [
    ("fdatasync", "EIO"), ("fdatasync", "ENOSPC"), ("pwrite64", "EIO"), ("pwrite64", "ENOSPC")])
@pytest.mark.parametrize("load", [dict(connections=1, depth=1), dict(connections=8, depth=32)],
                         ids=["one", "many"])
def test_one_failure_at_the_commit(start, tmp_path, call, error, load):
    """The batch is unknown or refused, never acknowledged; retries are exact; it goes on."""
    server, directory, books = failed_once(start, tmp_path, call, error, **load)
    assert set(books.answers) <= {"OK", "UNKNOWN", "UNAVAILABLE"}, books.answers
    if call == "fdatasync" and error == "EIO":
        assert "UNKNOWN" in books.answers, "a failed sync at the commit is UNKNOWN"
    assert filters(server)
    recovers(server, books, random.Random(SEED))
    again(start, server, books, directory)


@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
def test_failure_for_good(start, tmp_path, books, call):
    """Never acknowledged, not ready and says why, filtering goes on; exact after a restart."""
    server = start(CONFIG, directory=tmp_path / "node")
    rng = random.Random(SEED)
    acknowledge(server, books)
    with inject(server, tmp_path / "trace", call, "error=EIO:when=1+") as trace:
        with Pipeline(server.rpc) as pipeline:
            eventually(lambda: trace.injected() or [
                books.settle(*answer) for answer in pipeline.exchange([books.new(rng)])] and False,
                SHORT, f"a failed {call}")
        for turn in range(20):
            response = one(server, books, rng)
            assert name_of(response) in ("UNKNOWN", "UNAVAILABLE"), f"try {turn}: {response}"
            assert response.status.message
            assert filters(server)
        said = eventually(lambda: (lambda p: not p.ready and p)(ping(server)), LONG, "not ready")
        assert said.not_ready_reason, said
        print(f"not ready: {said.not_ready_reason}; answers: {books.answers}")
        assert server.process.poll() is None, "filtering must go on"
        assert server.log.strip(), "not a word on standard error"
        server.kill()
    server = start(CONFIG, directory=tmp_path / "node")
    again(start, server, books, tmp_path / "node")


@pytest.mark.parametrize("call", ["pwrite64", "pread64"])
def test_interrupted_calls_are_repeated(start, tmp_path, books, call):
    """Every other call is interrupted (EINTR): nobody notices."""
    server = start(CONFIG, directory=tmp_path / "node")
    acknowledge(server, books)
    with inject(server, tmp_path / "trace", call, "error=EINTR:when=1+2") as trace:
        acknowledge(server, books, 200)
        assert call == "pread64" or trace.injected()
    assert set(books.answers) == {"OK"}, books.answers
    again(start, server, books, tmp_path / "node")


def test_reading_fails(start, tmp_path, books):
    """The checkpoint and the restart read; a failed read acknowledges nothing that is not there."""
    server = start(CONFIG, directory=tmp_path / "node")
    acknowledge(server, books)
    with inject(server, tmp_path / "trace", "pread64", "error=EIO:when=1+3"):
        with Load(server.rpc, books):
            eventually(lambda: len(books.records) > 500, LONG, "500 records sent")
        assert filters(server)
    print(f"answers: {books.answers}")
    assert set(books.answers) <= {"OK", "UNKNOWN", "UNAVAILABLE"}, books.answers
    recovers(server, books, random.Random(SEED))
    again(start, server, books, tmp_path / "node")


def test_disk_full(start, tmp_path, books):
    """UNAVAILABLE, filtering goes on, ready again once there is room; nothing acknowledged lost."""
    directory, rng = tmp_path / "node", random.Random(SEED)
    with SmallDisk(directory / "data", "16m") as disk:
        server = start(CONFIG, directory=directory, prefix=disk.prefix)
        acknowledge(server, books)
        filler = disk.fill(leaving=64 * 1024)
        with Pipeline(server.rpc) as pipeline:
            eventually(lambda: [books.settle(record, answer) for record, answer in
                                pipeline.exchange([books.new(rng) for _ in range(16)])
                                ].count(False), LONG, "a refusal")
        answers = set(books.answers) - {"OK"}
        assert answers and answers <= {"UNAVAILABLE"}, books.answers
        for _ in range(5):
            assert filters(server)
            assert code_of(server.call(get_provider_budgets={})) == OK
        response = eventually(
            lambda: (lambda r: code_of(r) != OK and r)(one(server, books, rng)), LONG, "full")
        assert name_of(response) == "UNAVAILABLE", response
        said = ping(server)
        assert not said.ready and said.not_ready_reason, said
        print(f"{response.status.message}; not ready: {said.not_ready_reason}")
        filler.unlink()
        recovers(server, books, rng)
        books.audit(server)
        filler = disk.fill(leaving=64 * 1024)
        with Load(server.rpc, books):
            eventually(lambda: not ping(server).ready, LONG, "full again")
        server.kill()
        filler.unlink()
        server = start(CONFIG, directory=directory, prefix=disk.prefix)
        books.audit(server)
        server.stop()
    assert books.of(ACKNOWLEDGED) and not [r for r in books.of(FRESH) if not r.refused]


def test_start_on_a_full_disk(start, tmp_path, books):
    """What is there can still be read; records are refused until there is room."""
    directory, rng = tmp_path / "node", random.Random(SEED)
    with SmallDisk(directory / "data", "16m") as disk:
        server = start(CONFIG, directory=directory, prefix=disk.prefix)
        acknowledge(server, books)
        server.kill()
        filler = disk.fill(leaving=0)
        try:
            server = start(CONFIG, directory=directory, prefix=disk.prefix)
        except AssertionError as error:
            # To refuse is right too, with one line that says why and the way out, and the exit code
            # of a data directory that is not to be had.
            assert "budgetd exited 69" in str(error), error
            path = directory / "data" / "ledger.sqlite"
            assert f"the disk of {path} is full. Make room there" in str(error), error
        else:
            response = one(server, books, rng)
            assert name_of(response) in ("OK", "UNAVAILABLE"), response
            assert filters(server)
            server.kill()
        filler.unlink()
        server = start(CONFIG, directory=directory, prefix=disk.prefix)
        books.audit(server)
        server.stop()


@pytest.mark.parametrize("durability", ["commit", "memory"])
def test_the_queue_is_bounded(start, tmp_path, durability):
    """120,000 records at once on a disk whose first sync takes 3 s: answered OK later, or at once
    UNAVAILABLE and then truly not applied; memory stays flat and filtering goes on."""
    connections, each, micro = 30, 4000, Decimal("1e-6")
    server = start(CONFIG, "--durability", durability, directory=tmp_path / "node")
    before, answers = server.rss_kib(), [collections.Counter() for _ in range(connections)]
    frames = b""
    for call_id in range(1, each + 1):
        message = pb.Request(call_id=call_id, record_spend=dict(
            provider="openai", tags=["red"], cost_usd=float(micro))).SerializeToString()
        frames += struct.pack(">I", len(message)) + message

    def send(client, names):
        client.socket.sendall(frames)
        for _ in range(each):
            names[name_of(client.receive())] += 1

    clients = [server.client() for _ in range(connections)]
    with inject(server, tmp_path / "trace", "fdatasync", "delay_enter=3000000:when=1"):
        sending = threading.Thread(
            target=in_threads, args=([(send, *one) for one in zip(clients, answers)],))
        sending.start()
        eventually(lambda: sum(names["UNAVAILABLE"] for names in answers), SHORT, "a full queue")
        assert filters(server)
        grown = server.rss_kib() - before
        sending.join(LONG)
    for client in clients:
        client.close()
    total = sum(answers, collections.Counter())
    print(f"{dict(total)}; VmRSS grew by {grown} KiB")
    assert set(total) == {"OK", "UNAVAILABLE"} and total.total() == connections * each, total
    assert grown < 64 * 1024
    eventually(lambda: ping(server).ready, LONG, "ready")
    eventually(lambda: spends(server)["providers", "openai"] == total["OK"] * micro, LONG, "spend")
    server.kill()
    server = start(CONFIG, directory=tmp_path / "node")
    shown = spends(server)
    assert shown["providers", "openai"] == shown["tags", "red"] == total["OK"] * micro


def test_a_slow_disk_holds_up_nobody_but_records(start, tmp_path, books):
    """Lanes are not blocked by a commit."""
    server = start(CONFIG, directory=tmp_path / "node")
    acknowledge(server, books)
    with inject(server, tmp_path / "trace", "fdatasync", "delay_enter=400000"):
        with Load(server.rpc, books, connections=8, depth=8):
            slowest, until = 0.0, time.monotonic() + 2
            while time.monotonic() < until:
                began = time.monotonic()
                assert filters(server) and ping(server)
                slowest = max(slowest, time.monotonic() - began)
    print(f"slowest filter and ping beside commits of 400 ms: {slowest * 1000:.1f} ms")
    assert slowest < 0.3
    again(start, server, books, tmp_path / "node")


def test_pending_spend_counts_for_filtering(start, tmp_path):
    """A record denies from the moment it is queued, and is shown only when it is committed."""
    server = start(config_text({"openai": (1.0, "30d")}), directory=tmp_path / "node")
    candidate = dict(id="a", model_name="g", model="gpt-4o", provider="openai")
    ask = dict(deployments=[candidate])
    assert code_of(server.call(filter_deployments=ask)) == OK
    with inject(server, tmp_path / "trace", "fdatasync", "delay_enter=1500000"):
        with server.client() as client:
            client.send(record_spend=dict(provider="openai", cost_usd=2.0, idempotency_key="k"))
            eventually(lambda: code_of(server.call(filter_deployments=ask))
                       == pb.Status.RESOURCE_EXHAUSTED, 1.0, "denied while pending")
            assert server.spend("openai") == 0, "shown before it was committed"
            assert code_of(client.receive()) == OK
    assert server.spend("openai") == 2.0
