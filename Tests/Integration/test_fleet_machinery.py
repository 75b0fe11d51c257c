"""What the fleet's tests stand on, tried on LiteLLM and Redis alone: if one of these fails, the
others say nothing about budgetd."""

import time
from decimal import Decimal

import pytest

from conftest import LONG, config_text, eventually
from litellm_peer import VERSION, litellm_peers
from redis_client import RedisClient, RedisError
from redis_servers import redis_service
from shifted_clock import ShiftedClock

MODELS = [["o1", "openai/gpt-4o"], ["a1", "anthropic/claude-3-5-sonnet-20240620"]]


@pytest.fixture
def redis():
    with redis_service() as service:
        yield service


def near(service, **options):
    return RedisClient(service.proxy.address, **options)


def test_a_restart_is_empty_and_the_address_stays(redis):
    with near(redis) as client:
        client("SET", "a", "1")
        redis.restart_empty()
        with pytest.raises((OSError, EOFError)):
            client("GET", "a")
    with near(redis) as client:
        assert client("GET", "a") is None


def test_a_replica_that_missed_writes_takes_over(redis):
    redis.add_replica()
    with near(redis) as client:
        client("SET", "kept", "1")
        redis.replicated()
        redis.part_replica()
        client("SET", "missed", "1")
    redis.fail_over()
    with near(redis) as client:
        assert client.many([["GET", "kept"], ["GET", "missed"]]) == ["1", None]
        client("SET", "kept", "2")


def test_a_replica_refuses_writes(redis):
    redis.add_replica()
    with redis.replica.client() as client, pytest.raises(RedisError, match="READONLY"):
        client("SET", "a", "1")


def test_a_reply_is_swallowed_after_the_command_ran(redis):
    with near(redis, timeout=0.2) as client:
        redis.proxy.swallow_replies()
        with pytest.raises(TimeoutError):
            client("INCR", "a")
    eventually(lambda: redis.proxy.swallowed, what="a reply swallowed")
    assert redis.command("GET", "a") == "1"
    redis.proxy.heal()
    with near(redis) as client:
        assert client("GET", "a") == "1"


def test_a_command_cut_in_the_middle_never_ran(redis):
    redis.proxy.cut(after=20)
    with near(redis) as client, pytest.raises((OSError, EOFError)):
        client("SET", "a", "x" * 50)
    redis.proxy.heal()
    assert redis.command("EXISTS", "a") == 0


def test_frozen_refused_paused_and_slow(redis):
    redis.proxy.freeze()
    with near(redis, timeout=0.2) as client, pytest.raises(TimeoutError):
        client("SET", "a", "1")
    redis.proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        near(redis)
    redis.proxy.heal()
    redis.server.pause()
    with near(redis, timeout=0.2) as client, pytest.raises(TimeoutError):
        client("PING")
    redis.server.resume()
    redis.proxy.delay(0.3)
    with near(redis) as client:
        began = time.monotonic()
        client.many([["PING"]] * 20)
        assert 0.3 <= time.monotonic() - began < LONG
        redis.proxy.reset()
        with pytest.raises((OSError, EOFError)):
            client("PING")


def test_litellm_processes_share_a_redis(redis, tmp_path):
    """The peers are the real thing: keys, values, blocking within seconds, no errors logged."""
    budgets = dict(providers={"openai": [1.0, "1h"], "anthropic": [5.0, "1h"]},
                   deployments={"o1": [10.0, "1h"]}, tags={"blue": [2.0, "1d"]})
    with litellm_peers(redis, tmp_path, count=2, **budgets) as (a, b):
        assert a.version == VERSION
        assert a.filter(MODELS, ["blue"]) == b.filter(MODELS, ["blue"]) == ["o1", "a1"]
        a.record(0.75, "openai", "o1", ["blue", "nobody's"])
        b.record(0.25, "openai", "o1", ["blue"])
        eventually(lambda: a.flushed() and b.flushed(), LONG, "charges in Redis")
        with redis.client() as client:
            assert client.keys() == [
                "deployment_budget_start_time:o1", "deployment_spend:o1:1h",
                "provider_budget_start_time:anthropic", "provider_budget_start_time:openai",
                "provider_spend:anthropic:1h", "provider_spend:openai:1h",
                "tag_budget_start_time:blue", "tag_spend:blue:1d"]
            for key in ("deployment_spend:o1:1h", "provider_spend:openai:1h", "tag_spend:blue:1d"):
                assert Decimal(client("GET", key)) == 1
            assert 3590_000 < client("PTTL", "provider_spend:openai:1h") <= 3600_000
        for peer in (a, b):
            eventually(lambda: peer.filter(MODELS) == ["a1"], LONG, "openai is blocked")
            assert peer.log() == []


def test_a_litellm_whose_clock_is_off(redis, tmp_path):
    with litellm_peers(redis, tmp_path, providers={"openai": [1.0, "1h"]}, ahead=300) as (peer,):
        assert abs(peer.view()["time"] - time.time() - 300) < 5
        start = eventually(lambda: redis.command("GET", "provider_budget_start_time:openai"), LONG)
        assert abs(float(start) - time.time() - 300) < LONG
        eventually(peer.flushed, LONG)


def test_redis_and_budgetd_see_the_shifted_clock(start, tmp_path):
    """Windows and expiries of hours pass in no time, in both at the same instant."""
    clock = ShiftedClock(tmp_path, ahead=86_400)
    config = config_text({"openai": (1.0, "1h")})
    with redis_service(environment=clock.environment) as service:
        server = start(config, environment=clock.environment)
        with service.client() as client:
            assert abs(int(client("TIME")[0]) - clock.now()) < 5
            client("SET", "a", "1", "EX", "3600")
            server.record("openai", 0.5)
            resets = server.budgets()["providers"]["openai"].resets_at_unix_ms
            assert abs(resets / 1000 - clock.now() - 3600) < 10
            clock.advance(3500)
            assert client("GET", "a") == "1" and server.spend("openai") == 0.5
            clock.advance(200)
            assert client("GET", "a") is None and server.spend("openai") == 0
    clock.close()
