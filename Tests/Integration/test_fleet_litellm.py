"""budgetd nodes and real LiteLLM processes on one Redis: they block on each other's spend, their
sums agree, and windows end without either harming the other.

BUDGETD_FLEET_ROLLOVERS and BUDGETD_FLEET_WINDOW say over how many ends of windows of how many
seconds (3 of 9 s unless set; the full figure is 20 of 20 s: seven minutes).
"""

import contextlib
import os
import random
import threading
import time
from decimal import Decimal

import pytest

from conftest import LONG, OK, code_of, config_text, eventually, running
from fleet import (
    allowed, ledger_windows, marker, marker_total, ours, passes, shown, spend_key, start_key)
from ledger_clients import PICO
from litellm_peer import litellm_peers
from redis_servers import redis_service

ROLLOVERS = int(os.environ.get("BUDGETD_FLEET_ROLLOVERS", "3"))
WINDOW = int(os.environ.get("BUDGETD_FLEET_WINDOW", "9"))
SEED = int(os.environ.get("BUDGETD_SEED", time.time_ns() % 10**6))
NANO = Decimal("1e-9")
SOON = 3.0  # seconds until the other side blocks
HOUR = "1h"
PROVIDERS = {"openai": (1.0, HOUR), "anthropic": (1.0, HOUR), "mistral": (100.0, HOUR)}
DEPLOYMENTS = {"d-1": (1.0, HOUR), "d-2": (1.0, HOUR), "d-3": (100.0, HOUR)}
TAGS = {"blue": (1.0, HOUR), "green": (1.0, HOUR), "red": (100.0, HOUR)}
# A deployment of no budgeted provider, for the budgets that are not about providers.
FREE = "groq/llama-3.3-70b-versatile"


def both_configs(providers=None, deployments=None, tags=None):
    """budgetd's config text and LiteLLM's setup for the same budgets."""
    models = [(name, "group", FREE, limit, window)
              for name, (limit, window) in (deployments or {}).items()]
    rows = [{name: list(row) for name, row in (budgets or {}).items()}
            for budgets in (providers, deployments, tags)]
    return config_text(providers, tags, models or None), dict(
        zip(("providers", "deployments", "tags"), rows))


def nodes_of(start, service, config, count, *arguments):
    return [start(config, "--redis", service.url, *arguments) for _ in range(count)]


def quiet_about_us(peers):
    for peer in peers:
        assert peer.alive()
        assert peer.log() == [], "LiteLLM has something to complain about"


BLOCKS = [  # what is spent, and the request that it blocks
    ("provider", dict(provider="openai"), dict(provider="anthropic"),
     ["x", "openai/gpt-4o"], ["x", "anthropic/claude-3-5-sonnet-20240620"], [], []),
    ("deployment", dict(deployment="d-1"), dict(deployment="d-2"),
     ["d-1", FREE], ["d-2", FREE], [], []),
    ("tag", dict(tag="blue"), dict(tag="green"), ["x", FREE], ["x", FREE], ["blue"], ["green"]),
]


def spend_here(node, cost, provider="", deployment="", tag=None):
    node.record(provider, cost, deployment_id=deployment, tags=[tag] if tag else [])


def spend_there(peer, cost, provider=None, deployment="", tag=None):
    peer.record(cost, provider, deployment, [tag] if tag else [])


@pytest.fixture(scope="module")
def mixed(budgetd, tmp_path_factory):
    """Two nodes and two LiteLLM processes on one Redis, with windows of an hour."""
    config, setup = both_configs(PROVIDERS, DEPLOYMENTS, TAGS)
    directory = tmp_path_factory.mktemp("mixed")
    with redis_service() as service, litellm_peers(service, directory, 2, **setup) as peers, \
            running(budgetd, directory / "a", config, "--redis", service.url) as a, \
            running(budgetd, directory / "b", config, "--redis", service.url) as b:
        yield service, [a, b], peers


def test_each_blocks_on_what_the_other_spent(mixed):
    _, nodes, peers = mixed
    for what, theirs, mine, candidate, other, tags, other_tags in BLOCKS:
        for side in (*[lambda c, t, n=n: allowed(n, [c], t) for n in nodes],
                     *[lambda c, t, p=p: p.filter([c], t) for p in peers]):
            assert side(candidate, tags) and side(other, other_tags), what
        spend_there(peers[0], 1.0, **theirs)
        spend_here(nodes[0], 1.0, **mine)
        spent = time.monotonic()
        denied = {f"budgetd {n}, spent by LiteLLM": lambda n=n: not allowed(
            nodes[n], [tuple(candidate)], tags) for n in range(2)}
        denied |= {f"LiteLLM {n}, spent by budgetd": lambda n=n: not peers[n].filter(
            [other], other_tags) for n in range(2)}
        while denied:
            for side in [side for side, condition in denied.items() if condition()]:
                took = time.monotonic() - spent
                print(f"a {what} is blocked by {side}, after {took:.2f} s")
                assert took <= SOON
                del denied[side]
            assert time.monotonic() - spent < LONG, f"{what}: not blocked by {[*denied]}"
    quiet_about_us(peers)


def test_sums_agree_inside_a_window(mixed):
    service, nodes, peers = mixed
    rng = random.Random(SEED)
    mine, theirs = Decimal(0), Decimal(0)
    for turn in range(150):
        cost = Decimal(rng.randrange(1, 10**11)) * PICO
        if turn % 2:
            spend_there(peers[turn // 2 % 2], float(cost), "mistral", "d-3", "red")
            theirs += cost
        else:
            nodes[turn // 2 % 2].record("mistral", float(cost), deployment_id="d-3", tags=["red"])
            mine += cost
    for peer in peers:
        eventually(peer.flushed, LONG, "LiteLLM sent all")
    for budget in (("providers", "mistral"), ("deployments", "d-3"), ("tags", "red")):
        key = spend_key(*budget, HOUR)
        with service.client() as client:
            eventually(lambda: marker_total(client, key) == mine, LONG, f"{budget}: our sum")
            assert abs(Decimal(client("GET", key)) - mine - theirs) <= NANO
        for node in nodes:
            eventually(lambda: abs(shown(node)[budget] - mine - theirs) <= NANO, LONG,
                       f"{budget}: {mine + theirs} shown")
        for peer in peers:
            eventually(lambda: abs(peer.view()["spends"][key] - float(mine + theirs)) < 1e-9,
                       LONG, f"{budget}: LiteLLM has {mine + theirs}")
    with service.client() as client:
        extra = [key for key in client.keys() if not ours(key) and "_spend:" not in key
                 and "_start_time:" not in key]
    assert extra == [], "keys that are neither LiteLLM's nor named as ours"
    quiet_about_us(peers)


class OffPeer:
    """A node beside a LiteLLM whose host's clock is off, on a Redis of their own."""

    window = 4

    def __init__(self, stack, start, directory, ahead):
        budgets = {"mistral": (100.0, f"{self.window}s")}, None, {"red": (100.0, f"{self.window}s")}
        config, setup = both_configs(*budgets)
        self.key = spend_key("tags", "red", f"{self.window}s")
        self.service = stack.enter_context(redis_service())
        self.client = stack.enter_context(self.service.client())
        (self.peer,) = stack.enter_context(
            litellm_peers(self.service, directory, ahead=ahead, wait=False, **setup))
        self.start, self.config = start, config
        self.seen, self.total = set(), Decimal(0)

    def begin(self):
        self.peer.wait_until_ready()
        (self.node,) = nodes_of(
            self.start, self.service, self.config, 1, "--reconcile-interval-ms", "200")

    def turn(self):
        self.peer.record(0.001, "mistral", "", ["red"])
        self.node.record("mistral", 0.01, tags=["red"])
        self.total += Decimal("0.01")
        passes(self.node)
        if mark := marker(self.client, self.key):
            self.seen.add(mark.end)
            assert abs(mark.end / 1000 - time.time()) <= self.window + 1, "its end is far off"
        budget = self.node.budgets()["tags"]["red"]
        if budget.HasField("resets_at_unix_ms"):
            resets = budget.resets_at_unix_ms / 1000
            assert abs(resets - time.time()) <= self.window + 1, "the node's end is far off"

    def conclude(self):
        assert len(self.seen) >= 3, f"windows that ended at {sorted(self.seen)}"
        quiet_about_us([self.peer])
        self.node.stop()
        ends = ledger_windows(self.node.directory)["tags", "red"]
        assert sum(ends.values()) == self.total


def test_a_litellm_with_a_wrong_clock_stalls_no_window(start, tmp_path):
    """Its start keys lie five minutes off; budgetd's windows go on opening and ending."""
    with contextlib.ExitStack() as stack:
        pairs = []
        for ahead in (300, -300):
            (tmp_path / str(ahead)).mkdir()
            pairs.append(OffPeer(stack, start, tmp_path / str(ahead), ahead))
        for pair in pairs:
            pair.begin()
        deadline = time.monotonic() + 3.5 * OffPeer.window
        while time.monotonic() < deadline:
            for pair in pairs:
                pair.turn()
        for pair in pairs:
            pair.conclude()


class Scene:
    """One budget over many windows: who records when, and what was seen of it in Redis."""

    def __init__(self, scope, name, service, nodes, peer, rng):
        self.scope, self.name, self.rng = scope, name, rng
        self.nodes, self.peer = nodes, peer
        self.key = spend_key(scope, name, f"{WINDOW}s")
        self.start = start_key(scope, name)
        self.client = service.client()
        self.mine, self.theirs = [], []   # (seconds, cost)
        self.markers = {}                 # window: the last marker seen
        self.checked, self.odd = 0, []    # windows that agreed; those that LiteLLM spoiled
        self.failures = []

    def fields(self, provider, deployment):
        return {"providers": {provider: self.name}, "deployments": {deployment: self.name},
                "tags": {"tags": [self.name]}}[self.scope]

    def record_here(self):
        cost = Decimal(self.rng.randrange(1, 10**10)) * PICO
        response = self.rng.choice(self.nodes).call(record_spend=dict(
            cost_usd=float(cost), **self.fields("provider", "deployment_id")))
        assert code_of(response) == OK, response.status
        self.mine.append((time.time(), cost))

    def record_there(self):
        cost = Decimal(self.rng.randrange(1, 10**10)) * PICO
        with PEER:
            self.peer.record(float(cost), **self.fields("provider", "model_id"))
        self.theirs.append((time.time(), cost))

    def look(self):
        """Notes the marker; returns when the window ends, None if none is open."""
        if mark := marker(self.client, self.key):
            self.markers[mark.window] = mark
        left = self.client("PTTL", self.start)
        return time.time() + left / 1000 if left > 0 else None

    def watched(self, seconds):
        """Looks on for a while: markers may change until their window is over."""
        deadline = time.time() + seconds
        while time.time() < deadline:
            self.look()
            time.sleep(0.02)

    def spent(self, since):
        return [sum((cost for at, cost in rows if at >= since), Decimal(0))
                for rows in (self.mine, self.theirs)]

    def compare(self, since, what, clean):
        """In the middle of a window, with both sides quiet: the spend key is the sum."""
        mine, theirs = self.spent(since)
        deadline = time.monotonic() + 2.0
        while True:
            self.look()
            value = Decimal(self.client("GET", self.key) or 0)
            if abs(value - mine - theirs) <= NANO:
                self.checked += 1
                return
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        off = value - mine - theirs
        text = f"{self.scope} {self.name}, {what}: {value}, {mine} here and {theirs} there ({off})"
        (self.failures if clean else self.odd).append(text)

    def window(self, number):
        """One window. In even ones LiteLLM comes first and nobody touches the ends, so that
        nothing can go wrong; odd ones are left to chance."""
        clean = number % 2 == 0
        eventually(lambda: self.look() is None, LONG + WINDOW, "the window before is over")
        if clean:
            # The spend key outlives LiteLLM's start key by up to a second.
            self.watched(1.5)
        since = time.time()
        first, second = self.record_there, self.record_here
        if not clean:
            first, second = second, first
        first()
        end = eventually(self.look, LONG, "a window is open")
        second()
        while time.time() < end - 3.5:
            self.rng.choice([self.record_here, self.record_there])()
            self.watched(0.05)
        self.compare(since, f"window {number}", clean)
        while clean is False and time.time() < end - 0.02:
            # Into the last second, where LiteLLM's own faults are.
            self.record_there()
            if time.time() < end - 1.0:
                self.record_here()
            self.watched(0.1)

    def run(self):
        try:
            for number in range(ROLLOVERS + 1):
                self.window(number)
            self.watched(max(0.0, (self.look() or 0) - time.time()) + 1.0)
        except BaseException as error:
            self.failures.append(f"{self.scope} {self.name}: {type(error).__name__}: {error}")


PEER = threading.Lock()  # a peer answers one command at a time


def test_over_the_ends_of_windows(start, tmp_path):
    """The markers' sum is the ledgers' in each window, and a later window has nothing of it."""
    budgets = dict(providers={"mistral": (100.0, f"{WINDOW}s")},
                   deployments={"d-3": (100.0, f"{WINDOW}s")}, tags={"red": (100.0, f"{WINDOW}s")})
    config, setup = both_configs(**budgets)
    with redis_service() as service, litellm_peers(service, tmp_path, **setup) as (peer,):
        nodes = nodes_of(start, service, config, 2, "--reconcile-interval-ms", "200")
        scenes = [Scene(scope, name, service, nodes, peer, random.Random(f"{SEED}{scope}"))
                  for scope, names in budgets.items() for name in names]
        threads = [threading.Thread(target=scene.run, daemon=True) for scene in scenes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join((ROLLOVERS + 1) * (WINDOW + 4) + 2 * LONG)
            assert not thread.is_alive(), "a scene hangs"
        failures = [text for scene in scenes for text in scene.failures]
        assert not failures, "\n".join(failures)
        quiet_about_us([peer])
        for node in nodes:
            node.stop()
        for scene in scenes:
            windows_agree(scene, nodes)


def windows_agree(scene, nodes):
    """Window by window: ledgers, markers, and what the clients recorded in its time."""
    ledgers = {}
    for node in nodes:
        for end, amount in ledger_windows(node.directory)[scene.scope, scene.name].items():
            ledgers[end] = ledgers.get(end, Decimal(0)) + amount
    recorded = sum((cost for _, cost in scene.mine), Decimal(0))
    assert sum(ledgers.values()) == recorded, scene.name
    # Where LiteLLM set a new start in an open window, the spend went on in the new one.
    gone = {mark.replaced for mark in scene.markers.values()}
    moved = {mark.end for mark in scene.markers.values()
             if mark.window in gone and not ledgers.get(mark.end)}
    marks = {mark.end: mark.total for mark in scene.markers.values() if mark.end not in moved}
    ends = sorted({*marks, *(end for end, amount in ledgers.items() if amount)})
    for end in ends:
        assert ledgers.get(end, Decimal(0)) == marks.get(end, Decimal(0)), (
            f"{scene.scope} {scene.name}, window to {end}: ledgers {ledgers}, markers {marks}")
    print(f"{scene.scope} {scene.name}: {len(ends)} windows, {len(scene.mine)} records here,"
          f" {len(scene.theirs)} there; {scene.checked} compared equal in mid-window;"
          f" carried over, deleted or overwritten by LiteLLM itself: {len(scene.odd)};"
          f" starts set anew by it: {len(moved)}")
    for text in scene.odd:
        print("  " + text)
