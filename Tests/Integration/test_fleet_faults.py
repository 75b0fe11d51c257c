"""What Redis can do to nodes: lose, refuse, hang, forget, answer nonsense. Recording goes on, no
request waits for Redis, and once Redis is well every book says the same, exactly."""

import re
import shutil
import signal
import time
from decimal import Decimal

import pytest

from conftest import LONG, OK, SHORT, code_of, config_text, eventually, unharmed
from fake_redis import FakeRedis
from fleet import (
    FAST, agree, allowed, ledger_totals, marker, marker_key, marker_total, passes, shown,
    side_by_side, spend_key, start_key, store_state)
from http_client import scrape
from ledger_clients import ping
from redis_servers import redis_service

CONFIG = config_text({"openai": (1.0, "1h"), "azure": (100.0, "1h")}, {"red": (100.0, "1d")},
                     [("d-0", "group", "openai/gpt-4o", 100.0, "1h")])
OPENAI = ("providers", "openai")
KEYS = {OPENAI: spend_key(*OPENAI, "1h"),
        ("providers", "azure"): spend_key("providers", "azure", "1h"),
        ("tags", "red"): spend_key("tags", "red", "1d"),
        ("deployments", "d-0"): spend_key("deployments", "d-0", "1h")}
QUICK = 1.0  # seconds: no request may wait for Redis that long
COST = Decimal("0.010000000001")
SECRET = "hunter2-not-to-be-logged"
UNAVAILABLE = 14


@pytest.fixture
def redis():
    with redis_service() as service:
        yield service


class Fleet:
    """Nodes on one Redis, and what was recorded on them."""

    def __init__(self, start, service):
        self.start, self.service = start, service
        self.nodes = []
        self.expected = dict.fromkeys(KEYS, Decimal(0))

    def node(self, *arguments, config=CONFIG, **options):
        node = self.start(config, "--redis", self.service.url, *FAST, *arguments, **options)
        self.nodes.append(node)
        return node

    def record(self, node=None, cost=COST, provider="azure"):
        """One record on a node, or on each; answered at once whatever Redis does."""
        for one in [node] if node else self.nodes:
            began = time.monotonic()
            one.record(provider, float(cost), deployment_id="d-0", tags=["red"])
            assert time.monotonic() - began < QUICK, "a record waited for Redis"
            for budget in (("providers", provider), ("tags", "red"), ("deployments", "d-0")):
                self.expected[budget] += cost

    def agree(self, timeout=LONG):
        agree(self.service, self.nodes, KEYS, self.expected, adds=1000, timeout=timeout)

    def stop(self):
        for node in self.nodes:
            node.stop()
        totals = ledger_totals([node.directory for node in self.nodes])
        assert {b: totals[b] for b in KEYS} == self.expected


@pytest.fixture
def fleet(start, redis):
    return Fleet(start, redis)


@pytest.fixture
def pair(fleet):
    return agreed_pair(fleet)


def agreed_pair(fleet):
    """Two nodes that agree on what both recorded."""
    fleet.node()
    fleet.node()
    fleet.record()
    fleet.agree()
    return fleet


def complaints(node, pattern=r"(?i)redis"):
    """Log lines above info that match."""
    return [line for line in node.log.splitlines()
            if re.match(r"\S+ (warning|error|critical) ", line) and re.search(pattern, line)]


def tries(node, count=3):
    """Waits until so many more passes have failed: a line for each would be seen."""
    def failed():
        return scrape(node).get("budgetd_reconcile_passes_total", outcome="failed")
    before = failed()
    eventually(lambda: failed() >= before + count, LONG, f"{count} failed passes after {before}")


# Agreement

def test_nodes_agree_and_deny_together(fleet):
    a, b = fleet.node(), fleet.node()
    assert ping(a).store_state == ping(b).store_state == "ok"
    assert allowed(a) == allowed(b) == ["d-0"]
    fleet.record(a, Decimal("0.6"), "openai")
    fleet.record(b, Decimal("0.4"), "openai")
    for node in (a, b):
        eventually(lambda: allowed(node) == [], 3, "denied on the fleet's spend")
    fleet.agree()
    with fleet.service.client() as client:
        mark = marker(client, KEYS[OPENAI])
        assert sorted(mark.origins.values()) == [Decimal("0.4"), Decimal("0.6")]
        assert all(re.fullmatch(r"[0-9a-f]{8}\.[0-9a-f]{8}", name) for name in mark.origins)
        assert set(client.hash(marker_key(KEYS[OPENAI]))) >= set("v w fin sum t e".split())
        assert len(client("ZRANGE", "budgetd:nodes", "0", "-1")) == 2
    fleet.stop()


def test_sigterm_pushes_the_last_spend(fleet):
    # The next pass is far away: only the last one can have pushed it.
    node = fleet.start(CONFIG, "--redis", fleet.service.url, "--reconcile-interval-ms", "10000")
    fleet.nodes.append(node)
    fleet.record()
    fleet.stop()
    with fleet.service.client() as client:
        for budget, key in KEYS.items():
            assert marker_total(client, key) == fleet.expected[budget], budget


def test_names_with_a_hash_tag(start, redis):
    config = config_text(tags={"{team}:a b": (5.0, "1h"), "grün": (5.0, "1h")})
    node = start(config, "--redis", redis.url, *FAST)
    node.record(cost=0.5, tags=["{team}:a b", "grün"])
    passes(node)
    with redis.client() as client:
        assert marker_total(client, "tag_spend:{team}:a b:1h") == Decimal("0.5")
        assert client("EXISTS", "tag_spend:{team}:a b:1h:bd") == 1
        assert client("EXISTS", "{tag_spend:grün:1h}:bd") == 1


def test_a_restart_finds_the_fleets_total(pair):
    a, b = pair.nodes
    b.stop()
    pair.record(a)
    pair.nodes[1] = pair.start(CONFIG, "--redis", pair.service.url, *FAST, directory=b.directory)
    pair.record()
    pair.agree()
    pair.stop()


def test_a_crash_loop_is_exact(pair):
    """One origin for each life that spent; none is ever used again."""
    b = pair.nodes.pop()
    for _ in range(4):
        b.kill()
        b = pair.start(CONFIG, "--redis", pair.service.url, *FAST, directory=b.directory)
        pair.record(b)
    pair.nodes.append(b)
    pair.agree()
    with pair.service.client() as client:
        mark = marker(client, KEYS["tags", "red"])
    assert len(mark.origins) == 6 and len({name[:8] for name in mark.origins}) == 2
    pair.stop()


def test_a_disk_cloned_to_a_second_host(pair):
    """The twin has the same node id and another origin: nothing is counted once only."""
    a, b = pair.nodes
    b.stop()
    shutil.copytree(b.directory / "data", b.directory.parent / "twin" / "data")
    pair.nodes = [a] + [
        pair.start(CONFIG, "--redis", pair.service.url, *FAST, directory=directory)
        for directory in (b.directory, b.directory.parent / "twin")]
    pair.record()
    pair.record()
    pair.agree()


# Redis away

LINES_OF_AN_OUTAGE = 2


def fleet_of(fleet, count, policy, size=None):
    sizes = ["--fleet-size", str(size)] if size else []
    return [fleet.node("--outage-policy", policy, *sizes) for _ in range(count)]


def cut_off(fleet):
    fleet.service.proxy.refuse()
    for node in fleet.nodes:
        store_state(node, "partitioned")


POLICIES = ["open", "closed", "share"]


def test_redis_is_down_at_the_start(start):
    def case(policy):
        with redis_service() as service:
            down_at_the_start(Fleet(start, service), policy)

    side_by_side(case, POLICIES)


def down_at_the_start(fleet, policy):
    fleet.service.proxy.refuse()
    (node,) = fleet_of(fleet, 1, policy, size=2)
    assert not ping(node).ready and "redis" in ping(node).not_ready_reason.lower()
    assert ping(node).store_state == "partitioned"
    if policy == "closed":
        assert allowed(node).code == UNAVAILABLE
    else:
        assert allowed(node) == ["d-0"]
    fleet.record(node, Decimal("0.49"), "openai")
    if policy != "closed":
        assert allowed(node) == ["d-0"]
    fleet.record(node, Decimal("0.01"), "openai")
    if policy == "share":
        assert allowed(node) == [], "half the limit is this node's share"
    elif policy == "open":
        assert allowed(node) == ["d-0"]
    fleet.record(node, Decimal("0.5"), "openai")
    if policy != "closed":
        assert allowed(node) == []
    fleet.service.proxy.heal()
    eventually(lambda: ping(node).ready, LONG, "ready")
    assert ping(node).store_state == "ok" and allowed(node) == []
    fleet.agree()
    fleet.stop()


def test_redis_goes_away_later(start):
    def case(policy):
        with redis_service() as service:
            goes_away_later(Fleet(start, service), policy)

    side_by_side(case, POLICIES)


def goes_away_later(fleet, policy):
    a, b = fleet_of(fleet, 2, policy)
    fleet.record(a, Decimal("0.4"), "openai")
    fleet.agree()
    passes(b)
    cut_off(fleet)
    fleet.record(b, Decimal("0.29"), "openai")
    if policy == "closed":
        assert allowed(b).code == UNAVAILABLE
    else:
        assert allowed(b) == ["d-0"]
    fleet.record(b, Decimal("0.02"), "openai")
    if policy == "share":
        assert allowed(b) == [], "half of what was left is this node's share"
        assert allowed(a) == ["d-0"]
    elif policy == "open":
        assert allowed(b) == ["d-0"]
    fleet.record(a, Decimal("0.3"), "openai")
    fleet.service.proxy.heal()
    for node in (a, b):
        store_state(node, "ok")
        eventually(lambda: allowed(node) == [], LONG, "denied on the fleet's total")
    fleet.agree()
    fleet.stop()


def test_an_outage_is_one_line_with_the_way_out(fleet):
    node = fleet.node()
    for outage in (1, 2):
        began = len(node.log)
        cut_off(fleet)
        for _ in range(5):
            fleet.record()
        tries(node)
        fleet.service.proxy.heal()
        store_state(node, "ok")
        said = [line for line in node.log[began:].splitlines()
                if (" warning " in line or " error " in line) and "in the model list" not in line]
        assert 1 <= len(said) <= LINES_OF_AN_OUTAGE, "\n".join(said)
        address = f"127.0.0.1:{fleet.service.proxy.port}"
        assert any(address in line and "--outage-policy share" in line for line in said), said
    fleet.agree()


def paused(service):
    service.server.pause()
    return service.server.resume


def black_hole(service):
    service.proxy.freeze()
    return lambda: (service.proxy.heal(), service.proxy.reset())


def no_replies(service):
    service.proxy.swallow_replies()
    return service.proxy.heal


def refused(service):
    service.proxy.refuse()
    return service.proxy.heal


def test_nothing_waits_for_redis_and_nothing_is_lost(start):
    def case(outage):
        with redis_service() as service:
            pair = agreed_pair(Fleet(start, service))
            over = outage(service)
            for node in pair.nodes:
                store_state(node, "partitioned")
                began = time.monotonic()
                assert allowed(node) == ["d-0"] and code_of(node.call(ping={})) == OK
                assert time.monotonic() - began < QUICK
            for _ in range(20):
                pair.record()
            over()
            pair.agree()
            pair.stop()

    side_by_side(case, [refused, no_replies, black_hole, paused])


def test_replies_that_take_their_time(pair):
    """A pass takes seconds, of which no reply may have more than one; it is no outage, and what
    is agreed on is as exact as ever."""
    pair.service.proxy.delay(0.4)
    for _ in range(3):
        pair.record()
    pair.agree()
    pair.service.proxy.heal()
    pair.record()
    pair.agree()
    assert [ping(node).store_state for node in pair.nodes] == ["ok", "ok"]
    assert [complaints(node) for node in pair.nodes] == [[], []]


def test_connections_reset_again_and_again(pair):
    for _ in range(20):
        pair.record()
        pair.service.proxy.reset()
    pair.agree()
    pair.stop()


@pytest.mark.parametrize("after", [1, 37, 300])
def test_a_command_cut_in_the_middle(pair, after):
    accepted = pair.service.proxy.accepted
    pair.service.proxy.cut(after)
    pair.record()
    eventually(lambda: pair.service.proxy.accepted > accepted, LONG, "a new link")
    pair.service.proxy.heal()
    pair.record()
    pair.agree()


def test_a_node_that_slept(pair):
    """SIGSTOP: what others spent meanwhile counts before it admits again."""
    a, b = pair.nodes
    b.process.send_signal(signal.SIGSTOP)
    pair.record(a, Decimal(1), "openai")
    passes(a)
    b.process.send_signal(signal.SIGCONT)
    eventually(lambda: allowed(b) == [], 3, "denied on the fleet's spend")
    pair.agree()
    pair.stop()


# Redis forgets

def restarted_empty(service):
    service.restart_empty()


def flushed(service):
    service.command("FLUSHALL")


@pytest.mark.parametrize("loss", [restarted_empty, flushed])
def test_redis_loses_everything(pair, loss):
    pair.record()
    pair.agree()
    for _ in range(3):
        loss(pair.service)
        pair.agree()
        pair.record()
    pair.agree()
    pair.stop()


def test_failover_to_a_replica_that_missed_writes(pair):
    for _ in range(2):
        pair.service.add_replica()
        pair.record()
        pair.agree()
        pair.service.replicated()
        pair.service.part_replica()
        pair.record()
        pair.agree()  # the primary has it, the replica does not
        pair.service.fail_over()
        pair.record()
        pair.agree()
    pair.stop()


def test_a_demoted_primary_says_readonly(pair):
    """Nodes that still talk to the old primary hold on to their spend until it is well."""
    service = pair.service
    service.add_replica()
    pair.record()
    pair.agree()
    service.replica.promote()
    service.server.command("REPLICAOF", "127.0.0.1", "1")
    pair.record()
    for node in pair.nodes:
        eventually(lambda: complaints(node, "(?i)readonly|replica|read-only"), LONG,
                   "a word on the replica")
    service.proxy.retarget(service.replica.socket)
    service.server, service.replica = service.replica, service.server
    pair.agree()
    pair.stop()


def key_deleted(client, key):
    client("DEL", key)


def key_overwritten(client, key):
    client("SET", key, "0.000000000001", "KEEPTTL")


@pytest.mark.parametrize("damage", [key_deleted, key_overwritten])
def test_a_spend_key_is_repaired(pair, damage):
    with pair.service.client() as client:
        for key in KEYS.values():
            if client("EXISTS", key):
                damage(client, key)
    for node in pair.nodes:
        passes(node)
    pair.record()
    with pair.service.client() as client:
        # What was overwritten may stay on top of our own: it could be somebody's spend.
        rest = Decimal("0.000000000001") if damage is key_overwritten else 0
        for budget, total in pair.expected.items():
            if total:
                eventually(lambda: 0 <= Decimal(client("GET", KEYS[budget]) or 0) - total <= rest,
                           LONG, f"{budget} is {client('GET', KEYS[budget])}, not {total}")
                assert marker_total(client, KEYS[budget]) == total


def test_a_marker_deleted_with_its_key_alive_is_not_counted_twice(pair):
    with pair.service.client() as client:
        for key in KEYS.values():
            client("DEL", marker_key(key))
    for node in pair.nodes:
        passes(node)
    pair.record()
    pair.agree()
    pair.stop()


def test_the_start_keys_are_lost(pair):
    with pair.service.client() as client:
        before = {key: client("PTTL", key) for key in KEYS.values()}
        for scope, name in KEYS:
            client("DEL", start_key(scope, name))
        for node in pair.nodes:
            passes(node)
        pair.record()
        pair.agree()
        for key, left in before.items():
            assert client("PTTL", key) <= left, f"the window of {key} was stretched"


@pytest.mark.parametrize("poison", [["SET", "oops"], ["LPUSH", "1"]])
def test_a_value_that_is_no_amount_stops_only_its_budget(pair, poison):
    command, value = poison
    bad = KEYS["providers", "azure"]
    with pair.service.client() as client:
        client("DEL", bad)
        client(command, bad, value)
        pair.record()
        for budget in (("tags", "red"), ("deployments", "d-0")):
            eventually(lambda: marker_total(client, KEYS[budget]) == pair.expected[budget], LONG)
            eventually(lambda: shown(pair.nodes[0])[budget] == pair.expected[budget], LONG)
        for node in pair.nodes:
            eventually(lambda: complaints(node, "azure per 1h"), LONG, "the budget is named")
            assert shown(node)["providers", "azure"] >= COST * 2, "its own spend is shown"
            passes(node, 5)
            assert len(complaints(node, "azure per 1h")) <= 2, "one line each pass"
        client("DEL", bad)
    pair.agree()
    pair.stop()


# Redis refuses

def test_memory_is_full(pair):
    pair.service.command("CONFIG", "SET", "maxmemory", "1")
    pair.record()
    for node in pair.nodes:
        eventually(lambda: complaints(node, "(?i)memory|OOM"), LONG, "a word on memory")
    pair.record()
    pair.service.command("CONFIG", "SET", "maxmemory", "0")
    pair.agree()
    pair.stop()


def test_the_script_is_forgotten(pair):
    for _ in range(3):
        pair.service.command("SCRIPT", "FLUSH")
        pair.record()
        pair.agree(timeout=SHORT)
    assert all(not complaints(node) for node in pair.nodes)
    pair.stop()


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_an_eviction_policy_that_drops_markers_is_reported(start, policy):
    with redis_service("--maxmemory-policy", policy) as service:
        node = start(CONFIG, "--redis", service.url, *FAST)
        eventually(lambda: complaints(node, policy), LONG, "a warning")
        assert any("noeviction" in line for line in complaints(node, policy))


def with_password(start, service, tmp_path, password, name):
    file = tmp_path / "password"
    file.write_text(password + "\n")
    file.chmod(0o600)
    url = service.url.replace("redis://", f"redis://{name}@")
    return start(CONFIG, "--redis", url, "--redis-password-file", str(file), *FAST)


RIGHTS = (
    "~provider_spend:*", "~deployment_spend:*", "~tag_spend:*", "~{provider_spend:*",
    "~{deployment_spend:*", "~{tag_spend:*", "~provider_budget_start_time:*",
    "~deployment_budget_start_time:*", "~tag_budget_start_time:*", "~budgetd:nodes", "-@all",
    "+eval", "+evalsha", "+script|load", "+get", "+mget", "+set", "+pttl", "+pexpireat",
    "+incrbyfloat", "+hmget", "+hget", "+hgetall", "+hset", "+hdel", "+del", "+time", "+ping",
    "+info", "+client|setname", "+zadd", "+zcount", "+zremrangebyscore", "+zrange", "+zcard",
    "+select", "+hello", "+exists", "+zrangebyscore", "+expireat", "+pexpire")


def test_a_user_with_few_rights_is_enough(start, redis, tmp_path):
    redis.command("ACL", "SETUSER", "budgetd", "on", f">{SECRET}", *RIGHTS)
    node = with_password(start, redis, tmp_path, SECRET, "budgetd")
    node.record("azure", 0.5)
    passes(node)
    with redis.client() as client:
        assert marker_total(client, KEYS["providers", "azure"]) == Decimal("0.5")
    assert SECRET not in node.log


def test_a_wrong_password(start, redis, tmp_path):
    redis.command("ACL", "SETUSER", "budgetd", "on", ">another", "~*", "+@all")
    redis.command("ACL", "SETUSER", "default", "off")
    node = with_password(start, redis, tmp_path, SECRET, "budgetd")
    assert ping(node).store_state == "partitioned" and not ping(node).ready
    node.record("azure", 0.5)
    tries(node)
    said = complaints(node)
    assert 1 <= len(said) <= LINES_OF_AN_OUTAGE and "password" in said[0].lower(), said
    assert SECRET not in node.log
    assert SECRET.encode() not in open(f"/proc/{node.pid}/cmdline", "rb").read()


def test_a_user_without_a_command(start, redis, tmp_path):
    redis.command("ACL", "SETUSER", "budgetd", "on", f">{SECRET}", "~*", "+@all", "-incrbyfloat")
    node = with_password(start, redis, tmp_path, SECRET, "budgetd")
    node.record("azure", 0.5)
    eventually(lambda: complaints(node, "azure per 1h.*can't run this command"), LONG)
    passes(node, 5)
    assert len(complaints(node, "")) <= 4
    assert node.spend("azure") == 0.5


# A server that is no Redis, or not now

ERRORS = {
    "LOADING": "LOADING Redis is loading the dataset in memory",
    "BUSY": "BUSY Redis is busy running a script. You can only call SCRIPT KILL.",
    "MASTERDOWN": "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is 'no'.",
    "MOVED": "MOVED 11212 127.0.0.1:7001",
    "CLUSTERDOWN": "CLUSTERDOWN The cluster is down",
    "READONLY": "READONLY You can't write against a read only replica.",
    "NOAUTH": "NOAUTH Authentication required.",
}


def test_errors_are_named_once_and_over_once_redis_is_well(start):
    def case(code):
        with redis_service() as service, FakeRedis(f"-{ERRORS[code]}\r\n".encode()) as fake:
            answered_with(code, start, service, fake)

    side_by_side(case, ERRORS)


def answered_with(code, start, service, fake):
    service.proxy.retarget(fake.address)
    node = start(CONFIG, "--redis", service.url, *FAST)
    node.record("azure", 0.5)
    assert allowed(node) == ["d-0"] and ping(node).store_state == "partitioned"
    eventually(lambda: fake.answered > 3, LONG, "tried again")
    said = complaints(node)
    assert 1 <= len(said) <= LINES_OF_AN_OUTAGE, "\n".join(said)
    if code in ("MOVED", "CLUSTERDOWN"):
        assert "cluster" in said[0].lower(), said
    service.proxy.retarget(service.server.socket)
    store_state(node, "ok")
    with service.client() as client:
        key = KEYS["providers", "azure"]
        eventually(lambda: marker_total(client, key) == Decimal("0.5"), LONG, "all pushed")
    # Before its Redis is gone.
    node.stop()


NONSENSE = {
    "a bulk of 1 GiB": b"$1073741824\r\n" + b"x" * 65536,
    "a bulk of -2": b"$-2\r\n",
    "an array of 2^31": b"*2147483648\r\n",
    "an array of a million nils": b"*1000000\r\n" + b"$-1\r\n" * 1_000_000,
    "arrays in arrays": b"*1\r\n" * 5000 + b":1\r\n",
    "nil": b"$-1\r\n",
    "an integer": b":1\r\n",
    "a status": b"+OK\r\n",
    "an empty array": b"*0\r\n",
    "half a line": b"+O",
    "no protocol at all": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "two replies for one": b"+OK\r\n+OK\r\n",
    "bytes that are no text": b"$4\r\n\xff\xfe\x00\x80\r\n",
    "a status of 1 MiB": b"+" + b"x" * (1 << 20) + b"\r\n",
}


# The node waits for the rest as long as it waits for a reply.
UNENDING = ("a bulk of 1 GiB", "half a line")


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_nonsense_ends_the_link_and_takes_no_memory(start, redis, nonsense):
    with FakeRedis(NONSENSE[nonsense]) as fake:
        node = start(CONFIG, "--redis", redis.url, *FAST)
        node.record("azure", 0.5)
        passes(node)
        with unharmed(node, rss_kib=8192):
            redis.proxy.retarget(fake.address)
            times = 3 if nonsense in UNENDING else 4
            eventually(lambda: fake.answered >= times, LONG, "nonsense was read, and read again")
            node.record("azure", 0.25)
            assert allowed(node) == ["d-0"]
            redis.proxy.retarget(redis.server.socket)
            store_state(node, "ok")
            with redis.client() as client:
                eventually(
                    lambda: marker_total(client, KEYS["providers", "azure"]) == Decimal("0.75"),
                    LONG, "all pushed")
    assert len(complaints(node)) <= 4, node.log
    assert max(map(len, node.log.splitlines())) < 2000


# Sums and keys that no fleet should meet

def test_a_total_past_ten_to_the_fifteenth(pair):
    """Carried to the last pico-dollar, by all nodes."""
    key, other = KEYS["tags", "red"], Decimal("999999999999999.999999999999")
    with pair.service.client() as client:
        before = marker(client, key)
        client("HSET", marker_key(key), "c:ffffffff.ffffffff", str(other),
               "sum", f"{before.total + other:.12f}")
        client("INCRBYFLOAT", key, str(other))
        pair.record(cost=Decimal("9000000000"))
        eventually(lambda: marker_total(client, key) == pair.expected["tags", "red"] + other, LONG,
                   "the nodes' spend beside the other's")
        for node in pair.nodes:
            passes(node)
            assert shown(node)["tags", "red"] > Decimal("1.000017e15")
            assert complaints(node, "(?i)redis|shared|script|lua") == []
    del pair.expected["tags", "red"]
    keys = {budget: key for budget, key in KEYS.items() if budget in pair.expected}
    agree(pair.service, pair.nodes, keys, pair.expected, adds=1000)


def test_a_marker_without_amounts_is_named_with_the_way_out(pair):
    key = KEYS["tags", "red"]
    with pair.service.client() as client:
        client("HSET", marker_key(key), "sum", "plenty")
        pair.record()
        for node in pair.nodes:
            line = eventually(lambda: complaints(node, "cannot be shared"), LONG)[0]
            assert marker_key(key) in line and "delete that key" in line and "BDTYPE" not in line
        client("DEL", marker_key(key))
    # What was pushed and not confirmed yet is none here: exact.
    pair.agree()


def test_the_nodes_key_is_of_another_type(pair):
    """Costs the count of nodes and nothing else."""
    for node in pair.nodes:
        eventually(lambda: scrape(node).get("budgetd_fleet_nodes") == 2, LONG)
    with pair.service.client() as client:
        client("DEL", "budgetd:nodes")
        client("SET", "budgetd:nodes", "mine")
        for node in pair.nodes:
            eventually(lambda: scrape(node).get("budgetd_fleet_nodes_faults_total") > 2, LONG)
        pair.record()
        pair.agree()
        for node in pair.nodes:
            assert ping(node).store_state == "ok"
            assert scrape(node).get("budgetd_fleet_nodes") == 2, "as last known"
            assert len(complaints(node, "budgetd:nodes")) == 1
        client("DEL", "budgetd:nodes")
        for node in pair.nodes:
            eventually(lambda: "nodes are counted again" in node.log, LONG)
            eventually(lambda: scrape(node).get("budgetd_fleet_nodes") == 2, LONG)
