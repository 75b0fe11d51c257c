"""Three nodes that speak TLS with their clients and with a Redis cluster, and everything that happens to
networks and clusters: at the end every book says the same, and no node has grown.

BUDGETD_SOAK_SECONDS says for how long (a fault of each kind unless set), with a fault every
BUDGETD_SOAK_BETWEEN seconds (2 unless set; 20 for a soak); BUDGETD_SEED repeats the clients' costs.
"""

import collections
import os
import random
import shutil
import signal
import ssl
import statistics
import time

from certificates import Certificates as RouterCertificates
from conftest import LONG, Server, eventually
from fleet import FAST, agree, ledger_totals, passes, spend_key, store_state
from ledger_clients import ACKNOWLEDGED, CONFIG, MODELS, PROVIDERS, TAGS, UNKNOWN, Books, Load
from redis_certificates import Certificates as RedisCertificates
from redis_groups import ClusterService, closing, slot_of

SECONDS = float(os.environ.get("BUDGETD_SOAK_SECONDS", "0"))
BETWEEN = float(os.environ.get("BUDGETD_SOAK_BETWEEN", "2"))
SEED = int(os.environ.get("BUDGETD_SEED", time.time_ns() % 10**6))
KEYS = (
    {("providers", name): spend_key("providers", name, window)
     for name, (_, window) in PROVIDERS.items()}
    | {("tags", name): spend_key("tags", name, window) for name, (_, window) in TAGS.items()}
    | {("deployments", model[0]): spend_key("deployments", model[0], model[4])
       for model in MODELS}
)


class SecureAddress(tuple):
    """A host and a port, and the context of connections to them."""

    def __new__(cls, address, context):
        made = super().__new__(cls, address)
        made.context = context
        return made


class Node:
    """A node over all its lives, with clients that record on it while it is up."""

    def __init__(self, program, directory, service, authorities, seed):
        self.program, self.directory, self.service = program, directory, service
        self.routers, self.redis = authorities
        self.context = ssl.create_default_context(cafile=str(self.routers.root))
        self.identity = [directory.parent / f"{directory.name}.{kind}" for kind in ("pem", "key")]
        self.renew(0)
        self.books = Books(seed)
        self.readings = []
        self.up()

    def renew(self, number):
        """Another certificate in the same place."""
        for made, place in zip(self.routers.server(f"{self.directory.name}-{number}"), self.identity):
            shutil.copy(made, place)
            place.chmod(0o600)

    def up(self):
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.service.tls_ports[-2:])
        self.server = Server(
            self.program, self.directory, CONFIG, "--redis", f"clusters://{hosts}", "--redis-ca",
            str(self.redis.root), "--tls-cert", str(self.identity[0]), "--tls-key",
            str(self.identity[1]), "--http-tls", "off", *FAST)
        self.server.rpc = SecureAddress(self.server.rpc, self.context)
        self.load = Load(self.server.rpc, self.books, connections=2, depth=4, pause=0.05)

    def rest(self):
        self.load.stop()

    def read(self):
        self.readings.append((self.server.rss_kib(), self.server.descriptors()))


def flushed_shard(nodes, service, rng):
    rng.choice(service.masters()).command("FLUSHALL")


def forgotten_scripts(nodes, service, rng):
    for master in service.masters():
        master.command("SCRIPT", "FLUSH")


def moved_slot(nodes, service, rng):
    key = KEYS[rng.choice(sorted(KEYS))]
    source = service.owner(slot_of(key))
    service.move(slot_of(key), rng.choice([m for m in service.masters() if m is not source]))


def master_that_hangs(nodes, service, rng):
    master = rng.choice(service.masters())
    master.pause()
    time.sleep(1.0)  # The length of the fault: shorter than the cluster's patience.
    master.resume()


def killed_master(nodes, service, rng):
    """Its replica takes its place, and it comes back as that one's replica."""
    master = rng.choice([m for m in service.masters() if service.replica_of(m)])
    replica = service.replica_of(master)
    master.kill()
    eventually(lambda: replica.role() == "master", LONG, "the replica is a master")
    master.start()
    eventually(service.is_whole, LONG, "a whole cluster")
    eventually(lambda: "master_link_status:up" in master.command("INFO"), LONG, "in step again")


def cut_links(nodes, service, rng):
    for server in service.living():
        server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def renewed_certificates(nodes, service, rng):
    for node in nodes:
        node.renew(rng.getrandbits(30))
        node.server.process.send_signal(signal.SIGHUP)


def clients_that_come_and_go(nodes, service, rng):
    for node in nodes:
        node.rest()
        node.load = Load(node.server.rpc, node.books, connections=2, depth=4, pause=0.05)


def killed_node(nodes, service, rng):
    """Always the same one: the others' memory is looked at over the whole time."""
    nodes[-1].server.kill()
    nodes[-1].rest()
    nodes[-1].up()


FAULTS = [flushed_shard, master_that_hangs, killed_node, moved_slot, renewed_certificates,
          forgotten_scripts, clients_that_come_and_go, killed_master, cut_links]


def test_nothing_is_lost_and_nobody_grows(budgetd, tmp_path):
    rng, happened = random.Random(SEED), collections.Counter()
    authorities = RouterCertificates(tmp_path / "routers"), RedisCertificates(tmp_path / "redis")
    with closing(ClusterService(certificates=authorities[1])) as service:
        nodes = []
        try:
            for place in range(3):
                nodes.append(Node(budgetd, tmp_path / f"node{place}", service, authorities,
                                  SEED + place))
            soak(nodes, service, rng, happened)
            conclude(nodes, service, happened)
        finally:
            for node in nodes:
                node.load.stop()
                if node.server.process.poll() is None:
                    node.server.kill()


def soak(nodes, service, rng, happened):
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline or len(happened) < len(FAULTS):
        began = time.monotonic()
        fault = FAULTS[sum(happened.values()) % len(FAULTS)]
        fault(nodes, service, rng)
        happened[fault.__name__] += 1
        for node in nodes:
            store_state(node.server, "ok", 2 * LONG)
            passes(node.server, 2)
            node.books.wait_for(10)
            node.books.raise_faults()
            node.read()
        # The time of a soak between two faults; not a wait for anything.
        time.sleep(max(0, BETWEEN - (time.monotonic() - began)))


def conclude(nodes, service, happened):
    expected = collections.Counter()
    for node in nodes:
        node.rest()
        node.books.resend(node.server.rpc, node.books.of(UNKNOWN))
        node.books.raise_faults()
        for budget, amount in node.books.sums(node.books.of(ACKNOWLEDGED)).items():
            expected[budget] += amount
    records = sum(len(node.books.of(ACKNOWLEDGED)) for node in nodes)
    agree(service, [node.server for node in nodes], KEYS, expected,
          adds=records * (1 + sum(happened.values())), timeout=4 * LONG)
    flat(nodes[:-1])
    for node in nodes:
        node.server.stop()
    totals = ledger_totals([node.directory for node in nodes])
    assert {budget: totals[budget] for budget in KEYS} == {b: expected[b] for b in KEYS}
    print(f"{dict(happened)}; {records} records, difference 0")


def flat(nodes):
    """Memory and descriptors of those that lived all the time, between the second and the last quarter."""
    for node in nodes:
        quarter = max(1, len(node.readings) // 4)
        early, late = node.readings[quarter:2 * quarter], node.readings[-quarter:]
        for place, name, slack in ((0, "KiB", 1.1), (1, "descriptors", 1.0)):
            before = statistics.median(reading[place] for reading in early)
            after = statistics.median(reading[place] for reading in late)
            print(f"{node.directory.name}: {before:.0f} to {after:.0f} {name}")
            # A short run has not seen everything once before its second quarter.
            if len(node.readings) >= 4 * len(FAULTS):
                assert after <= before * slack + 4, f"{name}: {before} to {after}"
