"""The bound of idempotency keys: it holds while records come and at a start, and is told."""

import random
import re
import time

from conftest import LONG, OK, code_of, eventually
from http_client import scrape
from ledger_clients import CONFIG, Books, Load, ping, uuid7

SEED = 6
KEPT = 1_000


def retry(server, record):
    """Whether the same record is a duplicate."""
    response = server.call(record_spend=dict(
        cost_usd=float(record.cost), idempotency_key=record.key, **record.fields))
    return code_of(response) == OK and response.record_spend.duplicate


def test_the_bound_holds_and_is_told(start, tmp_path):
    server = start(CONFIG, "--keys-kept", str(KEPT), directory=tmp_path / "node")
    assert scrape(server)["budgetd_ledger_keys_kept"] == KEPT
    assert 86_000 < scrape(server)["budgetd_idempotency_horizon_seconds"] <= 86_100
    books, depth, connections = Books(SEED), 16, 4
    began = time.time()
    with Load(server.rpc, books, connections=connections, depth=depth):
        for _ in range(20):
            books.wait_for(200)
            # Those on their way to the disk are remembered beside those that are on it.
            assert scrape(server)["budgetd_ledger_keys"] <= KEPT + connections * depth
    server.record("openai", 0.0)
    took = time.time() - began
    assert scrape(server)["budgetd_ledger_keys"] <= KEPT
    horizon = scrape(server)["budgetd_idempotency_horizon_seconds"]
    assert 0 <= horizon <= took + 1, horizon
    told = ping(server).idempotency_horizon_unix_ms / 1000
    assert began - 1 <= told <= time.time()
    lines = [line for line in server.log.splitlines() if "idempotency keys (--keys-kept)" in line]
    assert len(lines) == 1 + int(took / 60), lines
    assert retry(server, books.records[-1])
    server.stop()
    # Spend does not depend on what is remembered.
    again = start(CONFIG, "--keys-kept", str(KEPT), directory=tmp_path / "node")
    known = books.sums(books.records)
    books.compare(again, known, "accepted")


def test_a_retry_of_a_key_from_ahead_counts_once(start, tmp_path):
    """A caller's clock is minutes ahead, and the bound forgets within a moment."""
    server = start(CONFIG, "--keys-kept", str(KEPT), directory=tmp_path / "node")
    rng = random.Random(SEED)

    def record(key):
        response = server.call(
            record_spend=dict(provider="openai", cost_usd=1.0, idempotency_key=key))
        assert code_of(response) == OK, response.status
        return response.record_spend.duplicate

    keys = [uuid7(rng, offset) for offset in (5, 60, 240, 295)]
    assert [record(key) for key in keys] == [False] * len(keys)
    books = Books(SEED)
    with Load(server.rpc, books, connections=4, depth=16):
        books.wait_for(4 * KEPT)
    assert [record(key) for key in keys] == [True] * len(keys)
    # Nor does it refuse a key that is made now.
    assert not record(uuid7(rng))
    assert scrape(server)["budgetd_ledger_keys"] <= KEPT + len(keys)


def test_a_start_keeps_the_newest(start, tmp_path):
    """As many keys as an older version let come, or a lower bound."""
    server = start(CONFIG, directory=tmp_path / "node")
    books = Books(SEED)
    with Load(server.rpc, books, connections=1, depth=8):
        books.wait_for(4 * KEPT)
    server.kill()
    server = start(CONFIG, "--keys-kept", str(KEPT), directory=tmp_path / "node")
    (found,) = re.findall(r"(\d+) idempotency keys", server.log)
    assert KEPT - 8 <= int(found) <= KEPT
    assert eventually(lambda: scrape(server)["budgetd_ledger_keys"], LONG, "keys") <= KEPT
    books.compare(server, books.sums(books.records), "accepted")
    assert retry(server, books.records[-1])
    assert scrape(server)["budgetd_idempotency_horizon_seconds"] < 86_000
    oldest = ping(server).idempotency_horizon_unix_ms
    assert oldest > time.time() * 1000 - 600_000
