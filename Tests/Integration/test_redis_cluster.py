"""Three nodes under load on a real cluster of three masters and three replicas, with all that happens
to clusters: in the end ledgers, markers and accepted costs differ by 0.

BUDGETD_SEED repeats the clients' costs.
"""

import collections
import os
import random
import threading
import time
from decimal import Decimal

import pytest

from conftest import LONG, OK, code_of, config_text, eventually
from fleet import (
    FAST, agree, allowed, ledger_totals, marker_key, marker_total, passes, spend_key,
    start_key, store_state)
from http_client import scrape
from ledger_clients import ACKNOWLEDGED, MODELS, PROVIDERS, TAGS, UNKNOWN, CONFIG, Books, Load
from redis_groups import ClusterService, Process, closing, free_ports, slot_of

SEED = int(os.environ.get("BUDGETD_SEED", time.time_ns() % 10**6))
KEYS = (
    {("providers", name): spend_key("providers", name, window)
     for name, (_, window) in PROVIDERS.items()}
    | {("tags", name): spend_key("tags", name, window) for name, (_, window) in TAGS.items()}
    | {("deployments", model[0]): spend_key("deployments", model[0], model[4])
       for model in MODELS}
)
WHOLE = 5.0  # seconds: a cluster of its own has a master for every slot again by then


class Watcher:
    """The longest time that each node went without a whole pass."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.longest = 0.0
        self.ends = threading.Event()
        self.threads = [threading.Thread(target=self.watch, args=(node,)) for node in nodes]
        for thread in self.threads:
            thread.start()

    def watch(self, node):
        with node.client() as client:
            last, since = None, time.monotonic()
            while not self.ends.is_set():
                response = client.call(get_provider_budgets={"page_size": 1})
                now = time.monotonic()
                at = response.get_provider_budgets.reconciled_at_unix_ms
                if at != last:
                    last, since = at, now
                self.longest = max(self.longest, now - since)
                time.sleep(0.02)

    def stop(self):
        self.ends.set()
        for thread in self.threads:
            thread.join()
        return self.longest


class Fleet:
    """Three nodes with clients on each."""

    def __init__(self, start, service):
        self.service = service
        self.nodes = [start(CONFIG, "--redis", service.url, *FAST) for _ in range(3)]
        for node in self.nodes:
            store_state(node, "ok")
        self.books = [Books(SEED + place) for place in range(3)]
        self.loads = []

    def work(self):
        self.loads = [Load(node.rpc, books, connections=2, depth=4, pause=0.01)
                      for node, books in zip(self.nodes, self.books)]

    def rest(self):
        for load in self.loads:
            load.stop()
        self.loads = []
        for node, books in zip(self.nodes, self.books):
            books.resend(node.rpc, books.of(UNKNOWN))
            books.raise_faults()

    def accepted(self):
        total = collections.Counter(dict.fromkeys(KEYS, Decimal(0)))
        for books in self.books:
            for budget, amount in books.sums(books.of(ACKNOWLEDGED)).items():
                total[budget] += amount
        return total

    def agree(self):
        expected = self.accepted()
        assert sum(expected.values()) > 0
        agree(self.service, self.nodes, KEYS, expected, adds=100_000, timeout=2 * LONG)
        for node in self.nodes:
            node.stop()
        totals = ledger_totals([node.directory for node in self.nodes])
        assert {budget: totals[budget] for budget in KEYS} == dict(expected)

    def redirects(self, kind):
        return sum(scrape(node).get("budgetd_redis_redirects_total", kind=kind)
                   for node in self.nodes)


@pytest.fixture
def service():
    with closing(ClusterService()) as service:
        yield service


@pytest.fixture
def fleet(start, service):
    return Fleet(start, service)


def other_master(service, node):
    return next(master for master in service.masters() if master is not node)


def half_moved_slot(service, fleet):
    """A slot with a budget's keys is under way: the marker first, then the spend key, then the end."""
    key = KEYS["providers", "openai"]
    slot = slot_of(key)
    eventually(lambda: service.command("EXISTS", marker_key(key)), LONG, "a marker")
    source = service.owner(slot)
    target = other_master(service, source)
    service.begin_move(slot, target)
    service.move_keys(source, target, marker_key(key))
    eventually(lambda: fleet.redirects("tryagain") > 0, LONG, "a call whose keys are apart")
    service.move_keys(source, target, key)
    eventually(lambda: fleet.redirects("ask") > 0, LONG, "a command sent on")
    service.end_move(slot, source, target)
    eventually(lambda: fleet.redirects("moved") > 0, LONG, "a slot that was found elsewhere")


def resharded(service, fleet):
    """All slots of budgets' keys, and some more, go to one master."""
    target = service.masters()[0]
    slots = {slot_of(key) for key in KEYS.values()} | {slot_of("budgetd:nodes")}
    slots |= {slot_of(start_key(*budget)) for budget in KEYS}
    slots |= {random.Random(SEED).randrange(16384) for _ in range(40)}
    for slot in slots:
        if service.owner(slot) is not target:
            service.move(slot, target)


def flushed_shard(service, fleet):
    for master in service.masters()[:1]:
        master.command("FLUSHALL")
    for master in service.masters():
        master.command("SCRIPT", "FLUSH")


def killed_master(service, fleet):
    """The one that has the fleet's nodes, and so tells the time."""
    owner = service.owner(slot_of("budgetd:nodes"))
    replica = service.replica_of(owner)
    owner.kill()
    eventually(lambda: replica.role() == "master", LONG, "the replica is a master")
    eventually(service.is_whole, LONG, "a whole cluster")


@pytest.mark.alone
def test_every_book_says_the_same_whatever_happens_to_the_cluster(fleet):
    watcher = Watcher(fleet.nodes)
    fleet.work()
    try:
        for fault in (half_moved_slot, flushed_shard, resharded, killed_master):
            began = time.monotonic()
            fault(fleet.service, fleet)
            for node in fleet.nodes:
                passes(node, 3)
            print(f"{fault.__name__}: {time.monotonic() - began:.1f} s")
    finally:
        longest = watcher.stop()
        fleet.rest()
    print(f"the longest time without a whole pass: {longest:.1f} s; "
          + ", ".join(f"{kind} {fleet.redirects(kind):.0f}"
                      for kind in ("moved", "ask", "tryagain", "clusterdown", "noscript")))
    fleet.agree()
    assert longest <= WHOLE


def test_a_new_budget_begins_once_its_slot_is_closed(start, service):
    config = config_text(tags={"late": (10.0, "1h")})
    key = spend_key("tags", "late", "1h")
    node = start(config, "--redis", service.url, *FAST)
    store_state(node, "ok")
    slot = slot_of(key)
    source = service.owner(slot)
    target = other_master(service, source)
    service.begin_move(slot, target)
    node.record(cost=0.25, tags=["late"])
    eventually(lambda: scrape(node).get("budgetd_reconcile_passes_total", outcome="partial") > 0,
               LONG, "a pass in part")
    assert service.command("EXISTS", key) == 0
    service.end_move(slot, source, target)
    eventually(lambda: marker_total(ClusterPeek(service), key) == Decimal("0.25"), LONG,
               "the spend arrives")
    store_state(node, "ok")
    assert "a part of Redis is away" in node.log and "every master of the cluster" in node.log


class ClusterPeek:
    """One look, with a connection of its own."""

    def __init__(self, service):
        self.service = service

    def hash(self, key):
        with self.service.client() as client:
            return client.hash(key)


@pytest.mark.parametrize("full", [False, True], ids=["in part", "full coverage"])
def test_a_master_without_a_replica_is_gone(start, full):
    """Without full coverage the budgets of the others go on; with it the cluster is down."""
    names = [f"t{number}" for number in range(12)]
    config = config_text(tags={name: (100.0, "1h") for name in names})
    keys = {name: spend_key("tags", name, "1h") for name in names}
    with closing(ClusterService(replicas=False, full_coverage=full)) as service:
        nodes = [start(config, "--redis", service.url, *FAST) for _ in range(2)]
        for node in nodes:
            store_state(node, "ok")
            node.record(cost=0.5, tags=names)
        for name in names:
            eventually(lambda: marker_total(ClusterPeek(service), keys[name]) == 1, LONG, name)
        nodes_owner = service.owner(slot_of("budgetd:nodes"))
        gone = next(node for node in service.masters() if node is not nodes_owner)
        lost = [n for n in names if service.owner(slot_of(keys[n])) is gone]
        kept = [n for n in names if n not in lost
                and service.owner(slot_of(start_key("tags", n))) is not gone]
        assert lost and kept, "the names are spread"
        gone.kill()
        for node in nodes:
            node.record(cost=0.25, tags=names)
        if full:
            eventually(lambda: all("CLUSTERDOWN" in node.log for node in nodes), LONG, "told")
        else:
            for name in kept:
                eventually(
                    lambda: marker_total(ClusterPeek(service), keys[name]) == Decimal("1.5"), LONG,
                    f"{name} goes on")
            for node in nodes:
                assert scrape(node).get("budgetd_redis_nodes", state="away") == 1
                assert scrape(node).get("budgetd_redis_nodes", state="up") == 2
        for node in nodes:
            store_state(node, "partitioned")
            assert "a part of Redis is away" in node.log
            # It answers all the same, and at once.
            assert allowed(node, tags=names[:1]) == ["d-0"]
        # It comes back empty: what the nodes have spent is told again.
        gone.start()
        eventually(service.is_whole, LONG, "a whole cluster")
        for node in nodes:
            store_state(node, "ok")
        for name in names:
            eventually(lambda: marker_total(ClusterPeek(service), keys[name]) == Decimal("1.5"),
                       LONG, f"{name} is mended")


def test_a_master_that_hangs_holds_up_its_own_budgets_alone(fleet):
    service = fleet.service
    owner = service.owner(slot_of(KEYS["providers", "openai"]))
    owner.pause()
    try:
        began = time.monotonic()
        response = fleet.nodes[0].call(record_spend=dict(
            provider="openai", cost_usd=0.0, idempotency_key="hang"))
        assert code_of(response) == OK and time.monotonic() - began < 1
        replica_port = eventually(
            lambda: next((n.port for n in service.living()
                          if n is not owner and n.role() == "master"
                          and n in service.nodes[3:]), None), LONG, "a failover")
        assert replica_port
        for node in fleet.nodes:
            passes(node, 2)
    finally:
        owner.resume()
    for node in fleet.nodes:
        passes(node, 2)


def test_a_user_with_the_listed_rights(start, service):
    """The page's list of rights, on every server, is enough."""
    rights = ("~*_spend:* ~*_budget_start_time:* ~budgetd:nodes -@all +eval +evalsha +script|load"
              " +get +set +mget +pttl +incrbyfloat +pexpireat +hmget +hget +hset +del +time +ping"
              " +info +select +client|setname +zadd +zcount +zremrangebyscore +cluster|slots"
              " +asking")
    for server in service.nodes:
        server.command("ACL", "SETUSER", "budgetd", "on", ">pw", *rights.split())
    url = service.url.replace("://", "://budgetd@")
    node = start(CONFIG, "--redis", url, *FAST, environment={"BUDGETD_REDIS_PASSWORD": "pw"})
    store_state(node, "ok")
    node.record("openai", 0.5)
    passes(node, 2)
    assert marker_total(ClusterPeek(service), KEYS["providers", "openai"]) == Decimal("0.5")
    assert scrape(node).get("budgetd_reconcile_passes_total", outcome="failed") == 0


def test_what_is_no_cluster_is_said(start, service):
    with closing(Process(free_ports(1)[0])) as plain:
        node = start(CONFIG, "--redis", f"cluster://127.0.0.1:{plain.port}", *FAST)
        eventually(lambda: "CLUSTER SLOTS was refused: ERR This instance has cluster support "
                   "disabled" in node.log, LONG, node.log[-500:])
    node = start(CONFIG, "--redis", f"redis://127.0.0.1:{service.nodes[0].port}", *FAST)
    eventually(lambda: "give --redis cluster://host:port" in node.log, LONG, node.log[-500:])


def test_each_user_of_a_pattern_has_a_slot(start, service):
    """Budgets of one pattern lie on all masters: calls for many of them keep to one slot each."""
    config = "budgetd:\n  budgets:\n    - {tag: \"user:*\", limit: 5, window: year}\n"
    users = [f"user:{number}" for number in range(120)]
    keys = [f"budgetd_spend:tag:year:{user}" for user in users]
    nodes = [start(config, "--redis", service.url, *FAST) for _ in range(2)]
    for node in nodes:
        store_state(node, "ok")
        # More than a hundredth of the limit: it is told at once.
        for user in users:
            node.record(cost=0.25, tags=[user])
    assert len({service.owner(slot_of(key)).port for key in keys[:12]}) == 3
    with service.client() as client:
        for key in keys:
            eventually(lambda: marker_total(client, key) == Decimal("0.5"), LONG, key)
    # A master goes, and its replica takes its place: what was told stays told, and more is.
    killed_master(service, None)
    for user in users:
        nodes[0].record(cost=0.25, tags=[user])
    with service.client() as client:
        for key in keys:
            eventually(lambda: marker_total(client, key) == Decimal("0.75"), LONG, key)
