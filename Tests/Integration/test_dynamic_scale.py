"""Very many budgets that names get from patterns: each costs little memory, a killed node is back soon,
and past the bound nothing grows and nothing is lost.

BUDGETD_MEASURE=1 measures on an otherwise idle machine, with optimised binaries: a million live ones, and
three million names through a bound of 100,000; prints figures and asserts them. Else the same at a
size that says nothing about either.
"""

import os
import time
from decimal import Decimal

import pytest

from conftest import OK, code_of
from fleet import ledger_windows, pipelined
from http_client import scrape
from ledger_clients import dollars
from redis_servers import redis_service

pytestmark = pytest.mark.alone  # what it measures is time and memory

MEASURES = os.environ.get("BUDGETD_MEASURE") == "1"
LIVE = 1_000_000 if MEASURES else 5_000
NAMES, BOUND = (3_000_000, 100_000) if MEASURES else (6_000, 1_000)
TAGS_IN_A_RECORD = 250
CENT = Decimal("0.01")
BYTES, BYTES_IN_A_FLEET, READY_SECONDS = 400, 1_024, 15

CONFIG = """
budgetd:
  dynamic_budgets_full: deny
  budgets:
    - {tag: "user:*", limit: 5, window: year}
"""


def name(number):
    return f"user:{number:07}"


def charge(node, first, count):
    """A cent for each of so many names."""
    requests = [
        ("record_spend", dict(cost_usd=0.01, tags=[name(n) for n in range(
            at, min(at + TAGS_IN_A_RECORD, first + count))]))
        for at in range(first, first + count, TAGS_IN_A_RECORD)]
    for response in pipelined(node.rpc, requests, depth=32):
        assert code_of(response) == OK, response.status


def live(node):
    return scrape(node).get("budgetd_pattern_live", scope="tag", pattern="user:*", window="year")


def spends(node, names):
    reply = node.call(get_provider_budgets=dict(tags=names))
    return {tag.name: dollars(tag.spend_usd) for tag in reply.get_provider_budgets.tags}


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "in a fleet"])
def test_a_million_live_ones(start, tmp_path, shared):
    with redis_service() as redis:
        options = ["--redis", redis.url] if shared else []

        def up():
            began = time.monotonic()
            node = start(CONFIG, *options, directory=tmp_path / "node")
            return node, time.monotonic() - began

        node, _ = up()
        charge(node, 0, 1)
        before = node.rss_kib()
        charge(node, 1, LIVE - 1)
        # Folds, and in a fleet passes, go on behind.
        time.sleep(30 if MEASURES else 1)
        each = (node.rss_kib() - before) * 1024 / LIVE
        assert live(node) == LIVE
        node.kill()
        node, took = up()
        again = node.rss_kib() * 1024 / LIVE
        some = [name(n) for n in range(0, LIVE, LIVE // 50)]
        assert spends(node, some) == dict.fromkeys(some, CENT)
        assert live(node) == LIVE
        print(f"{LIVE} live{' in a fleet' if shared else ''}: {each:.0f} bytes each, ready {took:.1f} s"
              f" after a kill, then {again:.0f} bytes each in all")
        if MEASURES:
            assert took <= READY_SECONDS
            assert each <= (BYTES_IN_A_FLEET if shared else BYTES)


def test_more_names_than_may_be_live(start, tmp_path):
    node = start(CONFIG, "--dynamic-budgets", str(BOUND), directory=tmp_path / "node")
    charge(node, 0, BOUND)
    rss = [node.rss_kib()]
    for part in range(1, 6):
        first, last = (BOUND + (NAMES - BOUND) * p // 5 for p in (part - 1, part))
        charge(node, first, last - first)
        rss.append(node.rss_kib())
    metrics = scrape(node)
    labels = dict(scope="tag", pattern="user:*", window="year")
    assert metrics.get("budgetd_pattern_live", **labels) == BOUND
    assert metrics.get("budgetd_pattern_overflowed_total", **labels) == NAMES - BOUND
    # A name without a place is denied, as dynamic_budgets_full says; one with a place is not.
    reply = node.call(filter_deployments=dict(
        deployments=[dict(id="d", provider="openai")], tags=[name(0)]))
    assert list(reply.filter_deployments.allowed) == [0]
    reply = node.call(filter_deployments=dict(
        deployments=[dict(id="d", provider="openai")], tags=[name(NAMES)]))
    assert list(reply.filter_deployments.allowed) == []
    print(f"{NAMES} names through {BOUND}: {[kib // 1024 for kib in rss]} MiB")
    if MEASURES:
        assert max(rss[2:]) <= rss[1] + 16 * 1024
    node.stop()
    total = sum((sum(windows.values(), Decimal(0))
                 for windows in ledger_windows(tmp_path / "node").values()), Decimal(0))
    # The pattern's own budget is charged once by a record, however many names found no place.
    assert total == CENT * (BOUND + (NAMES - BOUND) // TAGS_IN_A_RECORD)
