"""A budget's window text changes, by a reload or a restart. LiteLLM's start key bears no text: the one
that is there was set for the old window, and says nothing of the new one."""

import re
import time
from decimal import Decimal

import pytest

from conftest import LONG, config_text, eventually
from fleet import FAST, allowed, agree, marker_total, passes, shown, spend_key, start_key
from http_client import scrape
from redis_servers import redis_service

NAMES = (("providers", "openai"), ("tags", "red"))
FREE = (("x", "groq/llama-3.3-70b-versatile"),)
HALF = Decimal("0.5")


@pytest.fixture
def redis():
    with redis_service() as service:
        yield service


def config(window, limit=1.0):
    return config_text({"openai": (limit, window)}, {"red": (limit, window)})


def spend(node, cost=HALF):
    node.record("openai", float(cost), tags=["red"])


def ends(node):
    budgets = node.budgets()
    return [budgets[scope][name].resets_at_unix_ms / 1000 for scope, name in NAMES]


def change(start, service, nodes, text, how):
    """Nodes with another window, by a reload or a restart."""
    if how == "reload":
        for node in nodes:
            node.reload(text)
            window = re.search(r"time_period: (\S+)", text)[1]
            eventually(lambda: node.budgets()["providers"]["openai"].time_period == window, LONG)
        return nodes
    for node in nodes:
        node.stop()
    # First those that have spent nothing: all they know of the old window is that it was the fleet's.
    again = [start(text, "--redis", service.url, *FAST, directory=node.directory)
             for node in reversed(nodes)]
    return list(reversed(again))


def keys_of(window):
    return {budget: spend_key(*budget, window) for budget in NAMES}


def complaints(node):
    return re.findall(r" (?:warning|error) .*(?:too late|cannot be shared).*", node.log)


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_a_shorter_window_ends_in_its_own_time(start, redis, how):
    nodes = [start(config("5m"), "--redis", redis.url, *FAST) for _ in range(2)]
    spend(nodes[0])
    agree(redis, nodes, keys_of("5m"), dict.fromkeys(NAMES, HALF), adds=10)
    nodes = change(start, redis, nodes, config("5s"), how)
    for _ in range(2):
        begun = time.time()
        for node in nodes:
            spend(node, Decimal("0.25"))
        for node in nodes:
            eventually(lambda: shown(node)["tags", "red"] == HALF, 4, "one total")
            for end in ends(node):
                assert end <= begun + 5.5, f"{end - begun} s of a window of 5 s"
        for node in nodes:
            eventually(lambda: all(value == 0 for value in shown(node).values()), LONG, "over")
        assert time.time() - begun < 7
    for node in nodes:
        assert complaints(node) == []


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_a_longer_window_gives_its_limit_out_once(start, redis, how):
    nodes = [start(config("10s"), "--redis", redis.url, *FAST) for _ in range(2)]
    spend(nodes[0])
    agree(redis, nodes, keys_of("10s"), dict.fromkeys(NAMES, HALF), adds=10)
    nodes = change(start, redis, nodes, config("5m"), how)
    changed = time.time()
    for node in nodes:
        spend(node)
    agree(redis, nodes, keys_of("5m"), dict.fromkeys(NAMES, Decimal(1)), adds=10)
    while time.time() < changed + 14:
        for node in nodes:
            assert allowed(node, FREE, ["red"]) == [], "the limit is given out twice"
            assert all(end >= changed + 270 for end in ends(node))
        time.sleep(0.1)
    agree(redis, nodes, keys_of("5m"), dict.fromkeys(NAMES, Decimal(1)), adds=10)
    for node in nodes:
        assert complaints(node) == []


@pytest.mark.parametrize("how", ["reload", "restart"])
@pytest.mark.parametrize(("old", "new", "seconds"), [("1d", "1h", 3600), ("1h", "1d", 86_400)])
def test_nothing_is_late_and_nothing_in_error(start, redis, old, new, seconds, how):
    nodes = [start(config(old), "--redis", redis.url, *FAST) for _ in range(2)]
    for node in nodes:
        spend(node, Decimal("0.25"))
    agree(redis, nodes, keys_of(old), dict.fromkeys(NAMES, HALF), adds=10)
    nodes = change(start, redis, nodes, config(new), how)
    for node in nodes:
        spend(node, Decimal("0.25"))
    agree(redis, nodes, keys_of(new), dict.fromkeys(NAMES, HALF), adds=10)
    for node in nodes:
        passes(node, 3)
        assert complaints(node) == []
        assert scrape(node).get("budgetd_late_spend_dollars_total") == 0
        assert all(abs(end - time.time() - seconds) < 60 for end in ends(node))
    with redis.client() as client:
        for budget in NAMES:
            assert marker_total(client, spend_key(*budget, old)) == HALF
            assert client("GET", start_key(*budget)) is not None
