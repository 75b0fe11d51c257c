"""Times in idempotency keys, and clocks that are wrong at the start and set right later."""

import json
import random
import re

import pytest

from conftest import LONG, OK, code_of, config_text, eventually
from fleet import FAST
from http_client import ask, page, scrape
from ledger_clients import ping, uuid7
from redis_servers import redis_service
from shifted_clock import ShiftedClock

CONFIG = config_text({"openai": (100.0, "1d")})
OUT_OF_RANGE = 11


def record(server, key):
    return server.call(record_spend=dict(provider="openai", cost_usd=1.0, idempotency_key=key))


def warning(server):
    status, _, text = ask(server, "/readyz")
    lines = text.splitlines()
    assert status == 200 and lines[0] == "ready", text
    return lines[1:]


@pytest.mark.parametrize("durability", ["commit", "memory"])
@pytest.mark.parametrize("wrong", [-600, 25 * 3600, -25 * 3600])
def test_a_clock_that_is_set_right_after_the_start(start, tmp_path, wrong, durability):
    rng = random.Random(wrong)
    clock = ShiftedClock(tmp_path / "clock", wrong, wall_only=True)
    server = start(CONFIG, "--durability", durability, environment=clock.environment)
    clock.advance(-wrong)
    said = eventually(lambda: warning(server), LONG, "a warning")
    seconds, way = re.search(r"fleet time, .* is (\d+) s (\S+)", said[0]).groups()
    assert abs(int(seconds) - abs(wrong)) <= 1 and way == ("ahead" if wrong > 0 else "behind"), said
    assert json.loads(page(server, "/status.json"))["warnings"][0][:9] in said[0]
    keys = [uuid7(rng) for _ in range(20)]
    for key in keys:
        response = record(server, key)
        assert code_of(response) == OK, response.status
        assert not response.record_spend.duplicate
    for key in keys:
        assert record(server, key).record_spend.duplicate
    # Older than what is remembered stays refused, by the clock as it is now.
    assert code_of(record(server, uuid7(rng, -25 * 3600))) == OUT_OF_RANGE
    assert code_of(record(server, uuid7(rng, -23 * 3600))) == OK
    horizon = ping(server).idempotency_horizon_unix_ms / 1000
    assert abs(horizon - (clock.now() - 86_400 + 300)) < LONG
    metrics = scrape(server)
    assert abs(metrics.get("budgetd_clock_ahead_seconds") - wrong) < 1
    eventually(lambda: scrape(server).get("budgetd_clock_apart_total") == 1, LONG, "counted")
    assert server.log.count(" warning fleet time") == 1
    assert server.spend("openai") == 21.0
    clock.close()


def test_a_callers_clock_runs_ahead(start):
    rng = random.Random(1)
    server = start(CONFIG)
    keys = [uuid7(rng, offset) for offset in (310, 3600, 400 * 86_400)]
    for key in keys:
        assert code_of(record(server, key)) == OK
        assert record(server, key).record_spend.duplicate
    assert scrape(server).get("budgetd_keys_ahead_total") == 3
    assert server.spend("openai") == 3.0 and warning(server) == []


def test_redis_has_another_clock(start, tmp_path):
    """Windows go by it, keys do not."""
    rng = random.Random(2)
    clock = ShiftedClock(tmp_path / "clock", 26 * 3600)
    with redis_service(environment=clock.environment) as service:
        node = start(CONFIG, "--redis", service.url, *FAST)
        said = eventually(lambda: warning(node), LONG, "a warning")
        assert "Redis' clock" in said[0], said
        for key in [uuid7(rng) for _ in range(5)]:
            assert code_of(record(node, key)) == OK
            assert record(node, key).record_spend.duplicate
        # A jump that is followed makes no key old.
        old = uuid7(rng)
        assert code_of(record(node, old)) == OK
        clock.advance(3000)
        eventually(lambda: scrape(node).get("budgetd_redis_clock_jumps_total") == 1, LONG)
        assert record(node, old).record_spend.duplicate
        assert code_of(record(node, uuid7(rng))) == OK
    clock.close()
