"""A disk that keeps only what was synced: no acknowledged key is lost when the process is killed.

drop_unsynced.c plays the disk; two controls show that it bites.
"""

import os
import random
import time

import pytest

from conftest import running
from faults import Shim, build_shim, stand_in
from ledger_clients import CONFIG, Books, LedgerFault, Load, ping

SEED = int(os.environ.get("BUDGETD_SEED", time.time_ns() % 10**6))
ROUNDS = max(4, int(os.environ.get("BUDGETD_KILLS", "20")) // 5)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return build_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def shim(library, tmp_path):
    return Shim(library, tmp_path / "node" / "data")


def cut_power(server, books, rng):
    with Load(server.rpc, books, connections=rng.randint(1, 5), depth=rng.choice([1, 8, 32])):
        books.wait_for(20)
        time.sleep(rng.random() * 0.2)
        server.kill()


@pytest.mark.parametrize("leak", [0, 30, 90])
def test_no_acknowledged_key_is_lost_with_the_power(start, tmp_path, shim, leak):
    """With `leak` per cent of the blocks on disk before anybody asked, in any order."""
    books, rng = Books(SEED), random.Random(f"{SEED}/{leak}")
    for turn in range(ROUNDS):
        environment = shim.environment(LEAK=leak, SEED=SEED + turn)
        server = start(CONFIG, "--durability", "commit", directory=tmp_path / "node",
                       environment=environment)
        books.audit(server, sample=500)
        cut_power(server, books, rng)
    server = start(CONFIG, "--durability", "commit", directory=tmp_path / "node")
    books.audit(server)


def test_short_writes(start, tmp_path, shim):
    """A third of all writes take half of what they are given; the rest is written after it."""
    books, rng = Books(SEED), random.Random(SEED)
    for turn in range(2):
        server = start(CONFIG, directory=tmp_path / "node",
                       environment=shim.environment(SHORT=30, SEED=SEED + turn))
        books.audit(server, sample=500)
        cut_power(server, books, rng)
    books.audit(start(CONFIG, directory=tmp_path / "node"))


def test_checkpoints_survive_the_power(start, tmp_path, shim):
    """Past the size at which the WAL is folded into the database, and cut off soon after."""
    books, rng = Books(SEED), random.Random(SEED)
    for turn in range(3):
        server = start(CONFIG, "--durability", "commit", directory=tmp_path / "node",
                       environment=shim.environment(LEAK=20, SEED=SEED + turn))
        books.audit(server, sample=500)
        with Load(server.rpc, books, connections=8, depth=2):
            books.wait_for(3000)
            time.sleep(rng.random() * 0.1)
            server.kill()
    books.audit(start(CONFIG, directory=tmp_path / "node"))


def lose(start_one, tmp_path, shim, **settings):
    """Kills a server that acknowledges what it does not sync; returns the faults found."""
    books, rng = Books(SEED), random.Random(SEED)
    with start_one(shim.environment()) as server:
        with Load(server.rpc, books):
            books.wait_for(50)
        books.audit(server)
    with start_one(shim.environment(**settings)) as server:
        books.audit(server)
        cut_power(server, books, rng)
    with start_one({}) as server:
        assert ping(server).ready
        with pytest.raises(LedgerFault) as caught:
            books.audit(server)
    return str(caught.value)


def test_a_disk_that_lies_loses_acknowledged_keys(budgetd, tmp_path, shim):
    """The real binary on a disk whose syncs do nothing: the harness must see the loss."""
    def start_one(environment):
        return running(budgetd, tmp_path / "node", CONFIG, environment=environment)

    said = lose(start_one, tmp_path, shim, LIES=1)
    assert "sums before retries are not those of the keys" in said


def test_a_ledger_that_does_not_sync_loses_acknowledged_keys(tmp_path, shim):
    def start_one(environment):
        return stand_in(running, tmp_path / "node", CONFIG, "unsynced", environment=environment)

    said = lose(start_one, tmp_path, shim)
    assert "sums before retries are not those of the keys" in said
