"""What a pass costs Redis with ten thousand budgets. Redis is one thread for everybody: what
budgetd takes of it, nobody else has."""

from decimal import Decimal

import pytest

from conftest import LONG, OK, code_of, config_text, eventually
from fleet import calls, marker, marker_key, passes, pipelined, spend_key
from redis_servers import redis_service

pytestmark = pytest.mark.alone  # what it measures is time

COUNT, FEW = 10_000, 100
TAGS_IN_A_RECORD = 250
COST = Decimal("0.000000000001")
# Of Redis' time for a fixed piece of work on this machine, which may be a slow one.
FEW_PARTS, ALL_PARTS = 0.5, 4
TRIES = 3
WRITES = ("set", "del", "incrbyfloat", "hset", "hdel", "pexpireat", "pexpire", "expire")


def names(count):
    return [f"team:{number:05}" for number in range(count)]


def charge(node, count):
    tags = names(count)
    requests = [("record_spend", dict(cost_usd=float(COST), tags=tags[at:at + TAGS_IN_A_RECORD]))
                for at in range(0, count, TAGS_IN_A_RECORD)]
    for response in pipelined(node.rpc, requests):
        assert code_of(response) == OK, response.status


def stats(client):
    return client.info("commandstats")


def sums(client, tags):
    commands = [["HGET", marker_key(spend_key("tags", tag, "30d")), "sum"] for tag in tags]
    return [Decimal(text or 0) for text in client.many(commands)]


@pytest.fixture
def node(start):
    with redis_service() as service, service.client() as client:
        config = config_text(tags={name: (5.0, "30d") for name in names(COUNT)})
        yield start(config, "--redis", service.url), client


def processor_ms(client):
    """What the thread that runs commands has used: reading, scripts, writing. Other processes on
    the machine's cores do not count, as they would in INFO commandstats."""
    info = client.info("cpu")
    return 1000 * sum(float(info[f"used_cpu_{kind}_main_thread"]) for kind in ("user", "sys"))


def milliseconds(client, node, count, turn):
    """Redis' time from the records until all are pushed, and the last pass is over."""
    before = processor_ms(client)
    charge(node, count)
    wanted = COST * turn
    some = names(count)[::max(1, count // 4)] + names(count)[-1:]
    eventually(lambda: sums(client, some) == [wanted] * len(some), LONG, f"{count} pushed")
    passes(node, 1)
    took = processor_ms(client) - before
    assert sums(client, names(count)) == [wanted] * count
    return took


def reference_ms(client):
    """Redis' time for 10,000 calls of a script that handles texts and fields as budgetd's does."""
    script = ("local t = {} for i = 1, 40 do t[i] = string.format('%.12f', ARGV[1] + i) end"
              " redis.call('HSET', KEYS[1], 'a', t[1], 'b', t[40])"
              " return redis.call('HGET', KEYS[1], 'a')")
    before = processor_ms(client)
    client.many([["EVAL", script, "1", f"reference:{n}", str(n)] for n in range(COUNT)])
    took = processor_ms(client) - before
    client.many([["DEL", f"reference:{n}"] for n in range(COUNT)])
    return took


def test_what_a_pass_costs_redis(node):
    node, client = node
    reference = min(reference_ms(client) for _ in range(TRIES))
    opening = milliseconds(client, node, COUNT, 1)
    every = [milliseconds(client, node, COUNT, turn) for turn in range(2, 2 + TRIES)]
    few = [milliseconds(client, node, FEW, turn) for turn in range(2 + TRIES, 2 + 2 * TRIES)]
    print(f"{COUNT} budgets: all opened in {opening:.0f} ms of Redis' time; all with news"
          f" {[round(ms) for ms in every]} ms; {FEW} with news {[round(ms) for ms in few]} ms;"
          f" the pulls meanwhile included; the reference {reference:.0f} ms")
    assert min(every) < ALL_PARTS * reference
    assert min(few) < FEW_PARTS * reference
    idle_pass_writes_nothing(node, client)


def changes(client):
    return int(client.info("persistence")["rdb_changes_since_last_save"])


def idle_pass_writes_nothing(node, client):
    passes(node, 2)
    took, before = processor_ms(client), stats(client)
    dirty = changes(client)
    passes(node, 3)
    took = processor_ms(client) - took
    now, after = changes(client), stats(client)
    beats = sum(calls(after, name) - calls(before, name) for name in ("zadd", "zremrangebyscore"))
    for name in WRITES:
        assert calls(after, name) == calls(before, name), f"an idle pass calls {name}"
    assert 1 <= now - dirty <= beats, f"{now - dirty} changes in {beats} heartbeats"
    print(f"idle: {took / 3:.1f} ms a pass")
    assert marker(client, spend_key("tags", names(1)[0], "30d")).total > 0
