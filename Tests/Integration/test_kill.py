"""SIGKILL at any instant: what was acknowledged is there once, the rest is applied once by a retry.

BUDGETD_KILLS says how often at random instants (20 unless set; from 160 on the kills at each of the
first calls are repeated too); BUDGETD_SEED repeats a run.
"""

import os
import random
import time

import pytest

from conftest import LONG, running
from faults import inject, stand_in
from ledger_clients import CONFIG, UNKNOWN, Books, LedgerFault, Load, ping

KILLS = int(os.environ.get("BUDGETD_KILLS", "20"))
SEED = int(os.environ.get("BUDGETD_SEED", time.time_ns() % 10**6))
FIRST_CALLS = 40
RESTART_SECONDS = 1.0


def kill_at_random(server, books, rng):
    """Clients record; SIGKILL comes up to 150 ms after an acknowledgement."""
    with Load(server.rpc, books, connections=rng.randint(1, 6), depth=rng.choice([1, 4, 32])):
        books.wait_for(1)
        time.sleep(rng.random() * 0.15)
        server.kill()


def kill_at_call(server, books, call, number, output, depth=8):
    """SIGKILL comes with the `number`th such call after an acknowledgement."""
    with Load(server.rpc, books, connections=1, depth=1):
        books.wait_for(1)
    with inject(server, output, call, f"signal=SIGKILL:when={number}"):
        with Load(server.rpc, books, connections=3, depth=depth):
            status = server.process.wait(LONG)
    assert status == -9, f"exit {status}, not killed:\n{server.log[-2000:]}"


def restarted(start, directory, restarts):
    began = time.monotonic()
    server = start(CONFIG, "--durability", "commit", directory=directory)
    restarts.append(time.monotonic() - began)
    return server


def conclude(start, directory, books, restarts):
    """A last restart after a proper stop, and every key again."""
    server = restarted(start, directory, restarts)
    books.audit(server)
    server.stop()
    server = restarted(start, directory, restarts)
    assert ping(server).ready
    books.audit(server)
    slowest = max(restarts[1:])
    print(f"{len(restarts) - 1} restarts, the slowest took {slowest * 1000:.0f} ms;"
          f" {books.acknowledged} keys acknowledged, {len(books.of(UNKNOWN))} unknown")
    assert slowest < RESTART_SECONDS, f"a restart took {slowest:.2f} s"


@pytest.mark.alone
def test_killed_at_random_instants(start, tmp_path):
    books, rng, restarts, cut = Books(SEED), random.Random(SEED), [], 0
    for _ in range(KILLS):
        server = restarted(start, tmp_path / "node", restarts)
        books.audit(server, sample=500)
        kill_at_random(server, books, rng)
        cut += bool(books.of(UNKNOWN))
    assert cut, "no kill cut a record off: they tested nothing"
    conclude(start, tmp_path / "node", books, restarts)


@pytest.mark.alone
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
def test_killed_at_each_of_the_first_calls(start, tmp_path, call):
    books, restarts = Books(SEED), []
    for number in [*range(1, FIRST_CALLS + 1)] * max(1, KILLS // (2 * FIRST_CALLS)):
        server = restarted(start, tmp_path / "node", restarts)
        books.audit(server, sample=500)
        kill_at_call(server, books, call, number, tmp_path / "trace")
    conclude(start, tmp_path / "node", books, restarts)


def test_kills_catch_a_balance_without_its_key(tmp_path):
    """A ledger that commits the balance and then the key is found out by the same kills."""
    books = Books(SEED)
    with pytest.raises(LedgerFault, match="sums before retries are not those of the keys"):
        for number in range(1, 30):
            with stand_in(running, tmp_path / "node", CONFIG, "no-key") as server:
                books.audit(server, sample=100)
                kill_at_call(server, books, "fdatasync", number, tmp_path / "trace")
