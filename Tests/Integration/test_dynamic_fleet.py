"""Budgets that names get from patterns, shared by real nodes through a real Redis: each user's limit
is one for the fleet, and no kill and no cut loses or doubles a cent.

BUDGETD_MEASURE=1 measures on an otherwise idle machine, with optimised binaries: 100,000 users charged
in ten seconds on two nodes; prints Redis' time and the nodes' memory, and asserts them. Else the
same at a size that says nothing about either: all is told, once.
"""

import os
import random
import re
import time
from decimal import Decimal

import pytest

from conftest import LONG, OK, code_of, eventually
from fleet import FAST, ledger_windows, marker, marker_key, passes, pipelined
from ledger_clients import dollars, in_threads
from redis_servers import redis_service

MEASURES = os.environ.get("BUDGETD_MEASURE") == "1"
SEED = int(os.environ.get("BUDGETD_SEED", time.time_ns() % 10**6))
CENT = Decimal("0.01")

# A window that no test outlives.
CONFIG = """
budgetd:
  budgets:
    - {tag: "user:*", limit: 5, window: year}
"""


def spend_key(name, window="year"):
    return f"budgetd_spend:tag:{window}:{name}"


@pytest.fixture
def redis():
    with redis_service() as service:
        yield service


def is_allowed(node, *tags):
    reply = node.call(filter_deployments=dict(
        deployments=[dict(id="d", provider="openai")], tags=list(tags)))
    return list(reply.filter_deployments.allowed) == [0]


def spends(node, names):
    """{name: spend} as a node shows it."""
    found = {}
    for first in range(0, len(names), 100):
        reply = node.call(get_provider_budgets=dict(tags=names[first:first + 100]))
        assert code_of(reply) == OK, reply.status
        found |= {tag.name: dollars(tag.spend_usd) for tag in reply.get_provider_budgets.tags}
    return found


def told(client, names, window="year"):
    """{name: what the nodes' markers have}."""
    found = {}
    for first in range(0, len(names), 1_000):
        part = names[first:first + 1_000]
        sums = client.many([["HGET", marker_key(spend_key(name, window)), "sum"] for name in part])
        found |= {name: Decimal(text or 0) for name, text in zip(part, sums)}
    return found


def test_a_limit_is_the_fleets(start, redis):
    first, second = (start(CONFIG, "--redis", redis.url, *FAST) for _ in range(2))
    first.record(cost=3.0, tags=["user:ann"])
    # Nothing of her is known here until she is charged here: one charge, a pass, and it is.
    assert is_allowed(second, "user:ann")
    second.record(cost=2.0, tags=["user:ann"])
    eventually(lambda: not is_allowed(second, "user:ann"), LONG, "others' spend")
    eventually(lambda: not is_allowed(first, "user:ann"), LONG, "others' spend")
    assert is_allowed(first, "user:bob") and is_allowed(second, "user:bob")
    for node in (first, second):
        assert spends(node, ["user:ann"]) == {"user:ann": 5}
    with redis.client() as client:
        mark = marker(client, spend_key("user:ann"))
        assert mark.total == 5 and len(mark.origins) == 2
        # Whatever has ended leaves Redis by itself.
        assert client("PTTL", spend_key("user:ann")) > 0
        assert client("PTTL", marker_key(spend_key("user:ann"))) > 0
        assert client("EXISTS", spend_key("user:bob")) == 0


def test_news_that_is_far_from_its_limit_waits(start, redis):
    node = start(CONFIG, "--redis", redis.url, *FAST)
    began = time.monotonic()
    node.record(cost=0.01, tags=["user:small"])
    node.record(cost=0.5, tags=["user:large"])
    with redis.client() as client:
        eventually(lambda: told(client, ["user:large"]) == {"user:large": Decimal("0.5")}, LONG,
                   "news that is more than a hundredth of what is left")
        if time.monotonic() < began + 5:  # a machine that is not stuck
            assert told(client, ["user:small"]) == {"user:small": 0}
        eventually(lambda: told(client, ["user:small"]) == {"user:small": CENT}, 20,
                   "news that has waited")
        # What waits when a node ends is told.
        node.record(cost=0.02, tags=["user:small"])
        node.stop()
        assert told(client, ["user:small"]) == {"user:small": 3 * CENT}


def test_windows_from_the_first_charge_are_agreed_on(start, redis):
    config = CONFIG.replace("window: year", "window: 36h")
    nodes = [start(config, "--redis", redis.url, *FAST) for _ in range(2)]
    names = [f"user:{number}" for number in range(20)]
    in_threads([(lambda node: [node.record(cost=1.0, tags=[name]) for name in names], node)
                for node in nodes])
    for node in nodes:
        eventually(lambda node=node: spends(node, names) == dict.fromkeys(names, 2), LONG,
                   "one window for both")
    with redis.client() as client:
        assert told(client, names, "36h") == dict.fromkeys(names, Decimal(2))
        assert client("PTTL", "budgetd_budget_start_time:tag:36h:user:0") > 0


def test_kills_and_cuts_lose_and_double_nothing(start, redis, tmp_path):
    print("seed", SEED)
    rng = random.Random(SEED)
    names = [f"user:{number}" for number in range(200)]
    expected = dict.fromkeys(names, Decimal(0))
    config = CONFIG.replace("limit: 5,", "limit: 1000,")

    def up(place):
        return start(config, "--redis", redis.url, *FAST, directory=tmp_path / f"node-{place}")

    nodes = [up(place) for place in range(3)]

    def charge():
        for node in nodes:
            some = rng.sample(names, 60)
            cents = rng.randrange(1, 40)
            replies = pipelined(
                node.rpc, [("record_spend", dict(cost_usd=cents / 100, tags=[name]))
                           for name in some])
            assert all(code_of(reply) == OK for reply in replies)
            for name in some:
                expected[name] += cents * CENT

    def killed():
        place = rng.randrange(len(nodes))
        nodes[place].kill()
        nodes[place] = up(place)

    def flushed():
        redis.command("FLUSHALL")

    def cut():
        redis.proxy.cut(after=rng.randrange(10, 5_000))
        charge()
        redis.proxy.heal()

    def swallowed():
        redis.proxy.swallow_replies(to=b"EVAL")
        charge()
        time.sleep(0.3)  # the fault lasts that long
        redis.proxy.heal()

    def reloaded():
        # Some names have an entry for a while, and go on from there.
        for node in nodes:
            node.reload(config + '    - {tag: "user:7", limit: 900, window: year}\n')

    for step in range(3):
        for fault in (killed, cut, flushed, swallowed, reloaded):
            charge()
            fault()
            charge()
    for node in nodes:
        node.reload(config)
    charge()
    with redis.client() as client:
        eventually(lambda: told(client, names) == expected, 60, "all is told, once")
        keys = client.many([["GET", spend_key(name)] for name in names])
        assert [Decimal(key) for key in keys] == [expected[name] for name in names]
    for node in nodes:
        eventually(lambda node=node: spends(node, names) == {
            name: amount for name, amount in expected.items()}, 60, "every node shows it")
    for node in nodes:
        node.stop()
    ledgers = dict.fromkeys(names, Decimal(0))
    for place in range(3):
        for (_, name), windows in ledger_windows(tmp_path / f"node-{place}").items():
            if name in ledgers:
                ledgers[name] += sum(windows.values(), Decimal(0))
    assert ledgers == expected


def processor_ms(client):
    """What the thread that runs commands has used."""
    info = client.info("cpu")
    return 1000 * sum(float(info[f"used_cpu_{kind}_main_thread"]) for kind in ("user", "sys"))


@pytest.mark.alone
@pytest.mark.parametrize("both", [False, True], ids=["on one of two nodes", "on both"])
def test_what_a_hundred_thousand_users_cost_redis(start, redis, both):
    count, seconds = (100_000, 10) if MEASURES else (2_000, 1)
    names = [f"user:{number:06}" for number in range(count)]
    nodes = [start(CONFIG, "--redis", redis.url) for _ in range(2)]
    shares = [names, names] if both else [names[::2], names[1::2]]

    def charge(node, names):
        slice_size = len(names) // (seconds * 10)
        began = time.monotonic()
        for number in range(seconds * 10):
            part = names[number * slice_size:(number + 1) * slice_size]
            # Several users in a record: this client is slower than what it measures.
            replies = pipelined(node.rpc, [
                ("record_spend", dict(cost_usd=0.01, tags=part[at:at + 20]))
                for at in range(0, len(part), 20)])
            assert all(code_of(reply) == OK for reply in replies)
            time.sleep(max(0, began + (number + 1) / 10 - time.monotonic()))

    rss = [node.rss_kib() for node in nodes]
    with redis.client() as client:
        rates, last = [], (time.monotonic(), processor_ms(client))
        stop = []

        def watch():
            nonlocal last
            with redis.client() as own:
                while not stop:
                    time.sleep(1)
                    now = (time.monotonic(), processor_ms(own))
                    rates.append((now[1] - last[1]) / (now[0] - last[0]))
                    last = now

        def work():
            try:
                in_threads([(charge, node, part) for node, part in zip(nodes, shares)])
                expected = dict.fromkeys(names, CENT * (2 if both else 1))
                some = names[::997] + names[-1:]
                eventually(lambda: told(client, some) == {name: expected[name] for name in some},
                           60, "all is told")
                eventually(lambda: told(client, names) == expected, 60, "all is told")
            finally:
                stop.append(True)

        in_threads([(watch,), (work,)])
        # That of the last seconds has the test's own look at all markers in it.
        busiest = max(rates[:seconds * 2])
        print(f"{'both' if both else 'one'}: Redis' time a second, ms: {[round(r) for r in rates]}")
        passes(nodes[0], 2)
    grown = [(node.rss_kib() - before) * 1024 / len(part)
             for node, before, part in zip(nodes, rss, shares)]
    print(f"memory a budget: {[round(bytes) for bytes in grown]} bytes")
    assert not MEASURES or busiest <= 400
    assert not MEASURES or all(bytes <= 1024 for bytes in grown)
