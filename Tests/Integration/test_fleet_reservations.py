"""Reservations in a fleet whose nodes share budgets: a limit that holds over all of them. What one node
holds back counts on the others, LiteLLM's keys are what they are without reservations, and nothing that
is held outlives its node for long.

RESERVATION_RUNS=100 has so many bursts on each number of nodes (3 unless set), and eight windows end on
eight nodes (two on three). BUDGETD_OLD_BIN, a budgetd without ceilings, runs beside these.
test_overspend.py has traffic that passes limits.
"""

import collections
import contextlib
import itertools
import math
import os
import threading
import time
from decimal import Decimal

import pytest

from budget_client import Client
from conftest import LONG, OK, code_of, config_text, eventually, running
from faults import inject
from fleet import FAST, agree, ledger_windows, marker_key, spend_key
from http_client import scrape
from ledger_clients import UNKNOWN
from redis_servers import redis_service
from reservation_traffic import NodeClient, Traffic, Watch, play
from test_fleet_chaos import CAPPED, Member, conclude

RUNS = int(os.environ.get("RESERVATION_RUNS", "3"))
OLD = os.environ.get("BUDGETD_OLD_BIN")
LONG_FORM = "RESERVATION_RUNS" in os.environ
EXHAUSTED, UNAVAILABLE = 8, 14
OPENAI = ("providers", "openai")
SPEND = spend_key(*OPENAI, "1d")
CLAIMS = marker_key(SPEND) + "h"
SHARED = ("--reservations", "shared")


@pytest.fixture
def redis():
    with redis_service() as service:
        yield service


def reserve(client, amount=None, **fields):
    if amount is not None:
        fields["amount_usd"] = amount
    return client.call(reserve_spend=dict(provider="openai") | fields)


def held(client, amount, **fields):
    response = reserve(client, amount, **fields)
    assert code_of(response) == OK, response
    return response.reserve_spend.reservation_id


def settle(client, reservation, cost, **fields):
    response = client.call(record_spend=dict(
        provider="openai", cost_usd=cost, reservation_id=reservation) | fields)
    assert code_of(response) == OK, response


def release(client, reservation):
    response = client.call(release_reservation=dict(reservation_id=reservation))
    assert code_of(response) == OK and response.release_reservation.released, response


def reserved(node):
    return node.budgets()["providers"]["openai"].reserved_usd


def claims(redis, key=CLAIMS):
    """{origin: claim} of what is claimed; the sum and the number kept beside are theirs."""
    with redis.client() as client:
        fields = client.hash(key)
    found = {name: float(value.split()[1]) for name, value in fields.items() if "." in name}
    if fields:
        assert math.isclose(float(fields["s"]), sum(found.values()), abs_tol=1e-9), fields
        assert int(fields["n"]) == sum(1 for claim in found.values() if claim > 0), fields
    return {name: claim for name, claim in found.items() if claim > 0}


class Fleet:
    def __init__(self, start, service, limit=10, *arguments, tags=None):
        self.start, self.service, self.arguments = start, service, arguments
        self.config = config_text({"openai": (limit, "1d")} if limit else None, tags)
        self.nodes = []

    def node(self, *arguments, **options):
        node = self.start(
            self.config, "--redis", self.service.url, *FAST, *self.arguments, *arguments, **options)
        self.nodes.append(node)
        return node


@contextlib.contextmanager
def clients(*nodes):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(node.client()) for node in nodes]


# Strict: what nodes hold together stays within the limit, at every instant

def test_nodes_together_stay_within_a_limit(start, redis):
    fleet = Fleet(start, redis)
    first, second = fleet.node(), fleet.node()
    with clients(first, second) as (one, two):
        large = held(one, 6.0)
        # Asked at once: no pass lies between.
        denied = reserve(two, 5.0)
        assert code_of(denied) == EXHAUSTED, denied
        (denial,) = denied.reserve_spend.denials
        assert (denial.reserved_usd, denial.limit_usd, denial.spend_usd) == (6.0, 10.0, 6.0)
        assert "($6.0 reserved)" in denied.status.message
        small = held(two, 4.0)
        assert sorted(claims(redis).values()) == [4.0, 6.0]
        # LiteLLM sees what is spent, and nothing of this.
        assert float(redis.command("GET", SPEND) or 0) == 0
        settle(one, large, 4.0)
        # What was freed is the fleet's, as soon as it was told; that it was refused is forgotten by then.
        eventually(lambda: sum(claims(redis).values()) == 4.0, LONG, "a claim is lowered")
        eventually(lambda: code_of(reserve(two, 2.0)) == OK, LONG, "room is found")
        assert code_of(reserve(one, 0.01)) == EXHAUSTED
        release(two, small)
        assert float(redis.command("GET", SPEND)) == 4.0
    waits = scrape(second)
    assert waits.get("budgetd_reservation_waits_total", how="answered") >= 3


def test_a_filter_waits_for_its_first_choice_and_goes_on_where_it_is_refused(start, redis):
    fleet = Fleet(start, redis, tags={"red": (10, "1d")})
    first, second = fleet.node(), fleet.node()
    candidates = [dict(id=f"d-{name}", provider=name) for name in ("openai", "azure")]

    def choose(client, amount):
        response = client.call(filter_deployments=dict(
            deployments=candidates, tags=["red"], reserve=True, reserve_usd=amount))
        assert code_of(response) in (OK, EXHAUSTED), response
        reply = response.filter_deployments
        return reply.chosen if code_of(response) == OK else None, reply

    with clients(first, second) as (one, two):
        assert choose(one, 6.0)[0] == 0
        held(two, 3.0)
        # The provider has 1 left, the tag 4.
        chosen, reply = choose(two, 2.0)
        assert chosen == 1 and [denial.name for denial in reply.denials] == ["openai"]
        assert choose(two, 2.0)[0] == 1
        assert choose(one, 0.1)[0] is None


def burst(nodes, tag, requests, amount):
    """How many of so many requests at once are admitted, over all nodes."""
    channels = [Client(node.rpc) for _, node in zip(range(requests), itertools.cycle(nodes))]
    try:
        for channel in channels:
            channel.send(reserve_spend=dict(tags=[tag], amount_usd=amount))
        answers = collections.Counter(code_of(channel.receive()) for channel in channels)
    finally:
        for channel in channels:
            channel.close()
    assert set(answers) <= {OK, EXHAUSTED}, answers
    return answers[OK]


@pytest.mark.parametrize("requests, amount, limit, fitting", [(20, 75, 500, 6), (100, 0.5, 1, 2)])
def test_so_many_at_once_over_several_processes(start, redis, requests, amount, limit, fitting):
    """Exactly those that fit, however many processes are asked, in a window that none has opened yet."""
    sizes = (1, 2, 4, 8)
    tags = {f"t{size}-{run}": (limit, "1d") for size in sizes for run in range(RUNS)}
    fleet = Fleet(start, redis, limit=None, tags=tags)
    nodes = [fleet.node("--reconcile-interval-ms", "1000", "--reserve-wait", "10000")
             for _ in range(max(sizes))]
    for size in sizes:
        admitted = [burst(nodes[:size], f"t{size}-{run}", requests, amount) for run in range(RUNS)]
        assert admitted == [fitting] * RUNS, f"on {size} nodes"


def test_a_node_that_comes_back_claims_for_its_earlier_life(start, redis):
    fleet = Fleet(start, redis)
    first, second = fleet.node(), fleet.node()
    with clients(first, second) as (one, two):
        held(one, 6.0)
        held(two, 1.0)
        before = set(claims(redis))
        # Holds are written down within a tenth of a second.
        time.sleep(0.5)
        first.kill()
        assert sorted(claims(redis).values()) == [1.0, 6.0], "a dead node's claim stands"
        assert code_of(reserve(two, 4.0)) == EXHAUSTED
        again = fleet.node(directory=first.directory)
        eventually(lambda: set(claims(redis)) - before, LONG, "the new life claims")
        found = claims(redis)
        assert len(found) == 2 and sorted(found.values()) == [1.0, 6.0], "and the old one no more"
        assert reserved(again) >= 6.0


def test_records_without_reservations_take_nobodys_room(start, redis):
    """What is recorded between a call and its answer eats what was granted: it is asked for again, and
    nobody is denied while there is a million left."""
    fleet = Fleet(start, redis, 1e6)
    node, over, counts = fleet.node(), threading.Event(), []

    def record_on():
        with node.client() as client:
            while not over.is_set():
                response = client.call(record_spend=dict(provider="openai", cost_usd=5))
                assert code_of(response) == OK, response
                counts.append(1)

    threads = [threading.Thread(target=record_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    with clients(node) as (one,):
        answers = collections.Counter(code_of(reserve(one, 0.5)) for _ in range(50))
    over.set()
    for thread in threads:
        thread.join()
    assert counts and set(answers) == {OK}, answers


@pytest.mark.alone
def test_a_disk_that_stands_still_keeps_no_reservation_waiting(start, redis, tmp_path):
    """Each sync takes three seconds: records wait for it, and reservations do not."""
    fleet = Fleet(start, redis, 1e6)
    node, other = fleet.node("--durability", "commit"), fleet.node()
    with clients(node, other) as (one, two):
        held(one, 1.0)
        held(two, 1.0)
        with inject(node, tmp_path / "trace", "fdatasync", "delay_enter=3000000") as trace:
            with node.client() as third:
                record = threading.Thread(target=lambda: third.call(
                    record_spend=dict(provider="openai", cost_usd=7.0)))
                record.start()
                times, end = [], time.monotonic() + 8
                while time.monotonic() < end:
                    began = time.monotonic()
                    # More than what is kept ahead: each is asked for.
                    release(one, held(one, 1000.0))
                    times.append(time.monotonic() - began)
                    assert code_of(reserve(two, 1.0)) == OK
                record.join()
            eventually(trace.injected, LONG, "a sync that takes long")
        eventually(lambda: float(redis.command("GET", SPEND) or 0) == 7.0, LONG, "it was told")
    print(f"{len(times)} reservations while the disk stood still, the longest {max(times):.3f} s")


def test_a_limit_that_an_operator_raises_is_the_calls(start, redis, budgetctl):
    fleet = Fleet(start, redis)
    node = fleet.node()
    with clients(node) as (one,):
        held(one, 10.0)
        assert code_of(reserve(one, 1.0)) == EXHAUSTED
        response = one.call(set_budget=dict(scope=1, name="openai", limit_usd=12.0))
        assert code_of(response) == OK, response
        eventually(lambda: code_of(reserve(one, 1.0)) == OK, LONG, "room under the new limit")


def test_windows_end_while_reservations_are_open(start, redis, capsys):
    """Each window stays within its limit: what was held in the one before and is settled in this one too."""
    count, windows, limit, seconds = (8, 8, 2.0, 5) if LONG_FORM else (3, 2, 0.8, 2)
    latency = 0.7
    fleet = Fleet(start, redis, limit=None, tags={
        name: (limit, f"{seconds}s") for name in ("known", "learned")})
    nodes = [fleet.node() for _ in range(count)]
    traffics = {name: Traffic(limit, 120 / count, latency) for name in ("known", "learned")}
    watch = Watch(nodes)
    play([(traffic, [NodeClient(nodes, place, name, greatest=name == "known")
                     for place in range(count)], name) for name, traffic in traffics.items()],
         windows * seconds, watch)
    for node in nodes:
        node.stop()
    for name, traffic in traffics.items():
        rows = sorted((end, float(amount)) for node in nodes for end, amount in
                      ledger_windows(node.directory)["tags", name].items())
        spent, last = collections.Counter(), -math.inf
        for end, amount in rows:
            # Each node knows Redis' clock to some milliseconds: these are the same window.
            last = end if end > last + 500 else last
            spent[last] += amount
        beyond = 0 if name == "known" else math.fsum(
            max(0.0, one.cost - one.held) for one in traffic.requests) / len(spent)
        with capsys.disabled():
            print(f"\n{name}: {[f'{amount:.3f}' for _, amount in sorted(spent.items())]} of {limit}")
        assert math.isclose(sum(spent.values()), traffic.spent, abs_tol=1e-6)
        # Where the machine did not stand still, the first window was used up.
        if name == "known" and watch.stall < 0.2 and watch.oldest < 1:
            assert sum(amount > 0.9 * limit for amount in spent.values()) >= windows - 1, "used up"
        assert max(spent.values()) <= limit + beyond + 1e-9


# Shared: by what was last heard

def test_shared_goes_by_what_was_heard(start, redis):
    fleet = Fleet(start, redis, 10, *SHARED)
    first, second = fleet.node(), fleet.node()
    with clients(first, second) as (one, two):
        large = held(one, 6.0)
        small = held(two, 1.0)
        for node in (first, second):
            eventually(lambda: reserved(node) == 7.0, LONG, "others' claims are heard")
        assert code_of(reserve(two, 5.0)) == EXHAUSTED
        settle(one, large, 4.0)
        eventually(lambda: reserved(second) == 1.0, LONG, "a claim is lowered")
        release(two, small)
        eventually(lambda: not claims(redis), LONG, "nothing is claimed")
        held(two, 6.0)
    assert scrape(second).get("budgetd_reservation_waits_total", how="answered") == 0


@pytest.mark.parametrize("mode", ["strict", "shared"])
def test_an_idle_node_shows_what_others_hold(start, redis, mode):
    fleet = Fleet(start, redis, 10, "--reservations", mode)
    first, idle = fleet.node(), fleet.node()
    with clients(first, idle) as (one, two):
        large = held(one, 6.0)
        eventually(lambda: reserved(idle) == 6.0, LONG, "others' claims are heard")
        asked = dict(deployments=[dict(id="d", provider="openai")], estimated_cost_usd=5.0)
        denied = two.call(filter_deployments=asked)
        assert code_of(denied) == EXHAUSTED and "($6.0 reserved)" in denied.status.message
        settle(one, large, 2.0)
        eventually(lambda: reserved(idle) == 0, LONG, "nothing is claimed any more")
        assert code_of(two.call(filter_deployments=asked)) == OK
    assert redis.command("ZCARD", "budgetd:claimed") >= 1


def test_a_reservation_that_ends_elsewhere_is_freed_where_it_was_made(start, redis):
    fleet = Fleet(start, redis)
    first, second = fleet.node("--node-id", "gateway-a"), fleet.node()
    with clients(first, second) as (one, two):
        settled, released, kept = (held(one, amount, ttl_ms=600_000) for amount in (3.0, 2.0, 1.0))
        eventually(lambda: reserved(second) == 6.0, LONG, "others' claims are heard")
        # The router goes over to another node.
        settle(two, settled, 2.5)
        reply = two.call(release_reservation=dict(reservation_id=released))
        assert code_of(reply) == OK and not reply.release_reservation.released
        for node in (first, second):
            eventually(lambda: reserved(node) == 1.0, LONG, "the holds are freed")
        agree(redis, [first, second], {OPENAI: SPEND}, {OPENAI: Decimal("2.5")}, adds=1000, timeout=LONG)
        assert list(claims(redis).values()) == [1.0]
        # Whatever is told to the list of a node that never was makes none.
        made_up = kept.replace("gateway-a", "nobody")
        settle(two, made_up, 0.5, idempotency_key="other")
        counts = scrape(first)
        assert counts.get("budgetd_reservations_ended_total", how="settled") == 1
        assert counts.get("budgetd_reservations_ended_total", how="released") == 1
        assert scrape(second).get("budgetd_reservations_ended_total", how="elsewhere") == 2
        release(one, kept)
        eventually(lambda: not claims(redis), LONG, "nothing is claimed")
    assert redis.command("EXISTS", "budgetd:ended:nobody", "budgetd:ended:gateway-a") == 0


NAMES = """
budgetd:
  budgets:
    - {tag: "user:*", limit: 5, window: day}
"""


@pytest.mark.parametrize("size", [2, 4])
def test_names_budgets_hold_over_the_fleet(start, redis, size):
    """A user's $5 on several nodes: 20 requests of $0.75 at once, and six are let through."""
    fleet = Fleet(start, redis)
    fleet.config = NAMES
    nodes = [fleet.node() for _ in range(size)]
    for run in range(3):
        assert burst(nodes, f"user:{run}", 20, 0.75) == 6
    # A small part of what is left is held without asking.
    with clients(*nodes) as channels:
        for channel in channels:
            reply = channel.call(reserve_spend=dict(tags=["user:small"], amount_usd=0.25))
            assert code_of(reply) == OK
    assert not redis.command("EXISTS", "{budgetd_spend:tag:day:user:small}:bdh")


def test_an_extension_is_told_before_it_is_promised(start, redis):
    fleet = Fleet(start, redis)
    node = fleet.node()

    def extend(client, reservation, ttl):
        return client.call(extend_reservation=dict(reservation_id=reservation, ttl_ms=ttl))

    with clients(node) as (client,):
        reservation = held(client, 3.0, ttl_ms=60_000)
        reply = extend(client, reservation, 1_800_000)
        assert code_of(reply) == OK, reply
        until = reply.extend_reservation.expires_at_unix_ms
        with redis.client() as store:
            ends = [int(value.split()[2]) for name, value in store.hash(CLAIMS).items() if "." in name]
        assert max(ends) >= until, "what is claimed outlives what is held"
        # What is covered already is promised without asking; more is not, where nobody can be asked.
        redis.server.pause()
        try:
            assert code_of(extend(client, reservation, 600_000)) == OK
            refused = extend(client, reservation, 3_600_000)
            assert code_of(refused) == UNAVAILABLE and "not extended" in refused.status.message
        finally:
            redis.server.resume()
        eventually(lambda: code_of(extend(client, reservation, 3_600_000)) == OK, LONG, "told again")


def test_spend_goes_on_where_claims_are_not_permitted(start, redis):
    with redis.client() as client:
        client("ACL", "SETUSER", "old", "on", ">secret", "resetkeys", "~*_spend:*",
               "~*_budget_start_time:*", "~budgetd:nodes", "-@all",
               *("+eval +evalsha +script|load +get +set +mget +pttl +incrbyfloat +pexpireat +hmget"
                 " +hget +hset +del +time +ping +info +select +client|setname +zadd +zcount"
                 " +zremrangebyscore").split())
        fleet = Fleet(start, redis)
        node = start(fleet.config, "--redis", redis.url.replace("://", "://old@"), *FAST,
                     environment={"BUDGETD_REDIS_PASSWORD": "secret"})
        with clients(node) as (one,):
            eventually(lambda: code_of(reserve(one, 6.0, idempotency_key="k")) == OK, LONG,
                       "by what the node knows")
            reservation = held(one, 6.0, idempotency_key="k")
            assert code_of(reserve(one, 5.0)) == EXHAUSTED
            settle(one, reservation, 4.0)
            eventually(lambda: float(client("GET", SPEND) or 0) == 4.0, LONG, "spend arrives")
    assert "may not keep claims" in node.log
    assert scrape(node).get("budgetd_claims_refused") == 1


# Old nodes

@pytest.mark.skipif(not OLD, reason="a measure: BUDGETD_OLD_BIN")
def test_an_old_node_beside(start, redis, tmp_path):
    fleet = Fleet(start, redis, 10)
    node = fleet.node()
    with running(OLD, tmp_path / "old", fleet.config, "--redis", redis.url, *FAST) as old:
        with clients(node, old) as (one, two):
            reservation = held(one, 6.0)
            for number in range(20):
                response = two.call(record_spend=dict(provider="openai", cost_usd=0.1))
                assert code_of(response) == OK, response
                settle(one, held(one, 0.05), 0.05)
            settle(one, reservation, 6.0)
            agree(redis, [node, old], {OPENAI: SPEND}, {OPENAI: 9}, adds=1000, timeout=LONG)
            assert code_of(reserve(one, 1.5)) == EXHAUSTED
            held(one, 0.9)
        assert "error" not in old.log


@pytest.mark.skipif(not OLD, reason="a measure: BUDGETD_OLD_BIN")
def test_old_nodes_are_upgraded_one_by_one(start, tmp_path):
    """One new node that reserves beside two old ones for BUDGETD_OLD_SECONDS (20), then all new: no record
    gets an error, and every book says the same."""
    def old(config, *arguments, **options):
        return stack.enter_context(
            running(OLD, options.pop("directory"), config, *arguments, **options))

    happened, over, going = collections.Counter(), threading.Event(), []
    with contextlib.ExitStack() as stack, redis_service() as redis:
        members = [Member(one, redis, tmp_path / f"node{place}", place)
                   for place, one in enumerate((start, old, old))]
        threads = [threading.Thread(target=reserve_on, args=(member, over, going))
                   for member in members[:1]]
        threads[0].start()
        time.sleep(float(os.environ.get("BUDGETD_OLD_SECONDS", "20")))
        for member in members[1:]:
            member.rest()
            member.server.stop()
            member.start = start
            member.up()
            happened["upgraded"] += 1
            threads.append(threading.Thread(target=reserve_on, args=(member, over, going)))
            threads[-1].start()
            time.sleep(2)
            for each in members:
                each.books.raise_faults()
        over.set()
        for thread in threads:
            thread.join(LONG)
        assert len(going) == len(threads) and all(going), going
        print(f"{sum(going)} reserved and settled; records {[m.books.counts() for m in members]}")
        for member in members:
            assert not member.books.of(UNKNOWN)
            member.settle()
            assert [line for line in member.server.log.splitlines()
                    if " error " in line and "Redis is away" not in line] == []
        conclude(redis, members, happened, LONG)


def reserve_on(member, over, going):
    """Reservations of a member's own, of a budget that its other clients leave alone."""
    count = 0
    with member.server.client() as client:
        while not over.is_set():
            response = reserve(client, 0.01, provider="none", tags=[CAPPED])
            if code_of(response) == UNAVAILABLE:
                continue  # not within --reserve-wait, on a machine with other work
            assert code_of(response) == OK, response
            settle(client, response.reserve_spend.reservation_id, 0.0001, provider="none",
                   tags=[CAPPED])
            count += 1
            time.sleep(0.005)
    going.append(count)
