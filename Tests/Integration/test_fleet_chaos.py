"""Three nodes, clients on each, and everything that can happen to their Redis and to themselves:
at the end every book says the same, to the last digit. Beside it other clients reserve, until a budget of
their own is out and after: it is not passed by more than was lost sight of.

BUDGETD_FLEET_SECONDS says for how long (20 unless set); BUDGETD_SEED repeats the clients' costs.
"""

import collections
import contextlib
import os
import random
import sys
import threading
import time
from decimal import Decimal

import pytest

from conftest import LONG, OK, config_text, eventually, running
from faults import HERE
from fleet import FAST, agree, ledger_totals, ledger_windows, spend_key, spends_in_redis
from ledger_clients import (
    ACKNOWLEDGED, MODELS, PROVIDERS, TAGS, UNKNOWN, Books, Load, filters)
from redis_servers import redis_service
from reservation_traffic import MEAN, NodeClient, Traffic, Watch, play as play_traffic

SECONDS = float(os.environ.get("BUDGETD_FLEET_SECONDS", "20"))
SEED = int(os.environ.get("BUDGETD_SEED", time.time_ns() % 10**6))
BETWEEN = 0.6  # seconds of peace after each fault: some passes
RATE = 15  # reservations a second on each node
# For the first half there is money for them: a fleet that has lost its Redis grants nothing for 2 s.
CAPPED, LIMIT = "capped", 3 * RATE * MEAN * SECONDS / 5
CONFIG = config_text(PROVIDERS, TAGS | {CAPPED: (LIMIT, "7d")}, MODELS)
KEYS = (
    {("providers", name): spend_key("providers", name, window)
     for name, (_, window) in PROVIDERS.items()}
    | {("tags", name): spend_key("tags", name, window) for name, (_, window) in TAGS.items()}
    | {("deployments", model[0]): spend_key("deployments", model[0], model[4])
       for model in MODELS}
)


class Member:
    """A node over all its lives, with clients that record on it while it is up."""

    def __init__(self, start, service, directory, seed):
        self.start, self.service, self.directory = start, service, directory
        self.books = Books(seed)
        self.server = self.load = None
        self.kills = []
        self.up()

    @property
    def rpc(self):
        return self.server.rpc

    def up(self):
        self.server = self.start(CONFIG, "--redis", self.service.url, *FAST,
                                 directory=self.directory)
        self.work()

    def work(self):
        self.load = Load(self.server.rpc, self.books, connections=2, depth=4, pause=0.01)

    def kill(self):
        self.kills.append(time.monotonic())
        self.server.kill()
        self.rest()

    def rest(self):
        self.load.stop()

    def settle(self):
        """Every key that a client is in doubt about ends recorded once."""
        self.rest()
        self.books.resend(self.server.rpc, self.books.of(UNKNOWN))
        self.books.raise_faults()

    def accepted(self):
        return self.books.sums(self.books.of(ACKNOWLEDGED))


def hold(seconds):
    """The fault lasts that long; not a wait for anything."""
    time.sleep(seconds)


def swallowed_replies(service, members, rng):
    ran = scripts_run(service)
    before = service.proxy.swallowed
    service.proxy.swallow_replies(to=b"EVAL")
    eventually(lambda: service.proxy.swallowed > before and scripts_run(service) > ran, LONG,
               "a script ran whose reply was swallowed")
    hold(0.2)
    service.proxy.heal()


def scripts_run(service):
    with service.client() as client:
        info = client.info("commandstats")
    return sum(int(row.split("calls=")[1].split(",")[0])
               for name, row in info.items() if name in ("cmdstat_evalsha", "cmdstat_eval"))


def restarted_empty(service, members, rng):
    service.restart_empty()


def flushed(service, members, rng):
    service.command("FLUSHALL")


def paused(service, members, rng):
    service.server.pause()
    hold(1.0)
    service.server.resume()


def failed_over(service, members, rng):
    service.add_replica()
    service.part_replica()
    before = {budget: total for budget, (_, total) in spends_in_redis(service, KEYS).items()}
    eventually(lambda: {b: t for b, (_, t) in spends_in_redis(service, KEYS).items()} != before,
               LONG, "writes that the replica misses")
    service.fail_over()


def black_hole(service, members, rng):
    service.proxy.freeze()
    hold(0.5)
    service.proxy.heal()
    service.proxy.reset()


def cut_in_a_command(service, members, rng):
    before = service.proxy.accepted
    service.proxy.cut(after=rng.randrange(10, 3000))
    eventually(lambda: service.proxy.accepted > before, LONG, "a link cut and made again")
    service.proxy.heal()


def refused(service, members, rng):
    service.proxy.refuse()
    hold(0.3)
    service.proxy.heal()


def node_killed(service, members, rng):
    member = rng.choice(members)
    member.kill()
    member.up()


def node_killed_while_redis_is_lost(service, members, rng):
    """Double fault; the node's disk is kept, so nothing may be lost."""
    member = rng.choice(members)
    service.proxy.swallow_replies()
    member.kill()
    service.restart_empty()
    service.proxy.heal()
    member.up()


FAULTS = [swallowed_replies, node_killed, restarted_empty, paused, failed_over, flushed,
          node_killed_while_redis_is_lost, cut_in_a_command, black_hole, refused]


def play(start, tmp_path, faults, seconds, patience=LONG, caps=False):
    """All faults in turn for so long, at least once each; then every book is compared."""
    rng, happened = random.Random(SEED), collections.Counter()
    with redis_service() as service:
        members = [Member(start, service, tmp_path / f"node{n}", SEED + n) for n in range(3)]
        for member in members:
            member.books.wait_for(20)
        capped = Capped(members, seconds) if caps else None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline or len(happened) < len(faults):
            fault = faults[sum(happened.values()) % len(faults)]
            fault(service, members, rng)
            happened[fault.__name__] += 1
            hold(BETWEEN)
            for member in members:
                member.books.raise_faults()
        service.proxy.heal()
        if capped:
            capped.conclude()
        for member in members:
            member.settle()
        conclude(service, members, happened, patience)


class Capped:
    """Clients of all nodes that reserve, and know what a request costs."""

    def __init__(self, members, seconds):
        self.members, self.traffic = members, Traffic(LIMIT, RATE, 0.5)
        clients = [NodeClient(members, place, CAPPED, greatest=True) for place in range(3)]
        self.thread = threading.Thread(target=play_traffic, args=(
            [(self.traffic, clients, f"capped {SEED}")], seconds, Watch([])))
        self.thread.start()

    def conclude(self):
        """A killed node forgets the holds of its last tenth of a second. A replica that takes over has
        not heard of the latest claims, and whoever asks first is granted what is left; but only claims
        since the last second can be unknown to all."""
        self.thread.join(2 * LONG)
        assert not self.thread.is_alive() and self.traffic.answers[OK]
        lost = sum(one.cost for one in self.traffic.requests for member in self.members
                   for kill in member.kills
                   if one.node is member and kill - 0.3 <= one.admitted_at <= kill)
        bound = lost + 3 * RATE * MEAN * 1.0
        print(f"capped: {self.traffic.over:+.2%} of {bound / LIMIT:.2%}, {dict(self.traffic.answers)}")
        assert self.traffic.spent <= LIMIT + bound


def test_one_total_whatever_happens(start, tmp_path):
    play(start, tmp_path, FAULTS, SECONDS, caps=True)


@contextlib.contextmanager
def stand_ins(mistake):
    """A `start` that starts the small node of fleet_stand_in.py."""
    with contextlib.ExitStack() as stack:
        yield lambda config, *arguments, directory: stack.enter_context(running(
            str(HERE / "fleet_stand_in.py"), directory, config, *arguments,
            prefix=(sys.executable,), environment={"STAND_IN_MISTAKE": mistake}))


@pytest.mark.parametrize("mistake, faults", [
    ("delta", [swallowed_replies, flushed]), ("this-life", [node_killed, flushed])])
def test_a_mistake_is_found(tmp_path, mistake, faults):
    """A node that pushes what is new, or what this life of it spent, is found out."""
    with stand_ins(mistake) as start, pytest.raises(AssertionError, match="was accepted"):
        play(start, tmp_path, faults, 0, patience=2.0)


def test_the_stand_in_without_a_mistake_passes(tmp_path):
    with stand_ins("") as start:
        play(start, tmp_path, [swallowed_replies, node_killed, flushed], 0)


def conclude(service, members, happened, patience):
    servers = [member.server for member in members]
    expected, adds = collections.Counter(), 0
    for member in members:
        for budget, amount in member.accepted().items():
            expected[budget] += amount
        # Each record at most once, and all again after each loss.
        adds += len(member.books.of(ACKNOWLEDGED))
    adds += sum(happened.values()) * len(members) * (1 + sum(happened.values()))
    agree(service, servers, KEYS, expected, adds, patience)
    assert all(filters(server) for server in servers)
    for server in servers:
        server.stop()
    ledgers = ledger_totals([member.directory for member in members])
    assert {b: ledgers[b] for b in KEYS} == {b: expected[b] for b in KEYS}
    for member in members:
        for budget, windows in ledger_windows(member.directory).items():
            spent = [end for end, amount in windows.items() if amount]
            assert len(spent) <= 1, f"{member.directory.name} {budget}: windows {windows}"
    print(f"{dict(happened)}; {adds} additions at most")
    for budget, (spend, total) in sorted(spends_in_redis(service, KEYS).items()):
        assert total == expected[budget], "a node's last pass changed what was exact"
        off = spend - total
        print(f"{budget[0]} {budget[1]}: accepted {total}, markers and ledgers differ by 0,"
              f" spend key by {off:.1e} of {adds * spend * Decimal(2) ** -63:.1e} allowed")
