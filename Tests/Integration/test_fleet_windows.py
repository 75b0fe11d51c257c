"""Windows of a fleet: two nodes open one at once, it ends under load or while Redis is away, clocks
jump, limits change. Sums are exact in each window, and nothing enters another."""

import threading
import time
from decimal import Decimal

import pytest

from conftest import LONG, config_text, eventually
from fleet import (
    FAST, agree, allowed, ledger_totals, ledger_windows, marker, passes, reconciled_at, shown,
    spend_key, start_key, store_state)
from http_client import ask, scrape
from ledger_clients import in_threads
from redis_servers import redis_service
from shifted_clock import ShiftedClock

COST = Decimal("0.010000000001")
RED = ("tags", "red")


@pytest.fixture
def redis():
    with redis_service() as service:
        yield service


def nodes_of(start, service, config, count=2, **options):
    return [start(config, "--redis", service.url, *FAST, **options) for _ in range(count)]


def not_ready(node):
    """Why, as /readyz says it; None where it is ready."""
    status, _, text = ask(node, "/readyz")
    return text if status == 503 else None


def tries(node, count=5):
    """Waits until so many more passes have failed."""
    def failed():
        return scrape(node).get("budgetd_reconcile_passes_total", outcome="failed")
    before = failed()
    eventually(lambda: failed() >= before + count, LONG, f"{count} failed passes after {before}")


def spend(node, tag="red", cost=COST):
    node.record(cost=float(cost), tags=[tag])


def test_two_nodes_open_a_window_at_once(start, redis):
    names = [f"t{n}" for n in range(24)]
    nodes = nodes_of(start, redis, config_text(tags={n: (100.0, "1h") for n in names}))
    together = threading.Barrier(len(nodes))

    def charge(node):
        with node.client() as client:
            for name in names:
                together.wait(LONG)
                client.call(record_spend=dict(cost_usd=float(COST), tags=[name]))

    in_threads([(charge, node) for node in nodes])
    keys = {("tags", name): spend_key("tags", name, "1h") for name in names}
    expected = dict.fromkeys(keys, COST * len(nodes))
    agree(redis, nodes, keys, expected, adds=10)
    with redis.client() as client:
        ends = {name: marker(client, keys["tags", name]).end for name in names}
    for node in nodes:
        for name, budget in node.budgets()["tags"].items():
            assert abs(budget.resets_at_unix_ms - ends[name]) <= 5, name
        node.stop()
    for node in nodes:
        for (_, name), windows in ledger_windows(node.directory).items():
            assert [end for end, amount in windows.items() if amount] == [ends[name]], name


def look(client, key, seen):
    if mark := marker(client, key):
        seen[mark.end] = mark.total


def test_windows_end_under_load(start, redis):
    """Money that comes too late for its window stays in the ledger, and out of the next."""
    window, key = 3, spend_key(*RED, "3s")
    nodes = nodes_of(start, redis, config_text(tags={"red": (1000.0, "3s")}))
    seen, rows = {}, []
    deadline = time.monotonic() + 4 * window
    with redis.client() as client:
        while time.monotonic() < deadline:
            for node in nodes:
                before = time.time()
                spend(node)
                rows.append((before, time.time()))
            look(client, key, seen)
        stop = time.monotonic() + window + LONG
        while client("EXISTS", start_key(*RED)) and time.monotonic() < stop:
            look(client, key, seen)
            time.sleep(0.01)
    for node in nodes:
        node.stop()
    assert ledger_totals([n.directory for n in nodes])[RED] == COST * len(rows)
    ledgers = {}
    for node in nodes:
        for end, amount in ledger_windows(node.directory)[RED].items():
            ledgers[end] = ledgers.get(end, Decimal(0)) + amount
    assert len([end for end, amount in ledgers.items() if amount]) >= 4
    late = Decimal(0)
    for end, amount in ledgers.items():
        # A node knows Redis' clock to some milliseconds.
        inside = [row for row in rows if row[0] * 1000 <= end + 20 and
                  row[1] * 1000 >= end - window * 1000 - 20]
        assert amount <= COST * len(inside), f"{amount} in the window to {end}"
        assert seen.get(end, 0) <= amount, f"the marker to {end} has more than the ledgers"
        near = [row for row in inside if row[1] * 1000 >= end - 1500]
        assert amount - seen.get(end, 0) <= COST * len(near), f"too much is late at {end}"
        late += amount - seen.get(end, 0)
    print(f"{len(rows)} records in {len(ledgers)} windows, {late} $ late")


def test_a_window_ends_while_redis_is_away(start, redis):
    key = spend_key(*RED, "4s")
    nodes = nodes_of(start, redis, config_text(tags={"red": (1000.0, "4s")}))
    for node in nodes:
        spend(node)
    agree(redis, nodes, {RED: key}, {RED: 2 * COST}, adds=10)
    end = nodes[0].budgets()["tags"]["red"].resets_at_unix_ms
    redis.proxy.refuse()
    for node in nodes:
        store_state(node, "partitioned")
        eventually(lambda: shown(node)[RED] == 0, LONG, "the window is over without Redis too")
    for node in nodes:
        spend(node, cost=3 * COST)
    redis.proxy.heal()
    agree(redis, nodes, {RED: key}, {RED: 6 * COST}, adds=10)
    for node in nodes:
        node.stop()
        windows = {e: a for e, a in ledger_windows(node.directory)[RED].items() if a}
        assert sorted(windows.values()) == [COST, 3 * COST]
        assert min(abs(e - end) for e, a in windows.items() if a == COST) <= 5


@pytest.mark.parametrize("ahead", [86_400, -86_400])
def test_a_hosts_wall_clock_is_a_day_off(start, redis, tmp_path, ahead):
    """Windows follow the fleet's clock, which is Redis'."""
    clock = ShiftedClock(tmp_path / "clock", ahead, wall_only=True)
    config = config_text({"openai": (100.0, "1h")}, {"red": (100.0, "1h")})
    wrong = start(config, "--redis", redis.url, *FAST, environment=clock.environment)
    right = start(config, "--redis", redis.url, *FAST)
    spend(wrong)
    passes(wrong)
    for node in (wrong, right):
        budgets = node.budgets()
        passes(node)
        eventually(lambda: shown(node)[RED] == COST, LONG)
        for budget in (budgets["providers"]["openai"], node.budgets()["tags"]["red"]):
            assert abs(budget.resets_at_unix_ms / 1000 - time.time() - 3600) < LONG
        assert abs(reconciled_at(node) / 1000 - time.time()) < LONG
    clock.advance(-2 * ahead)
    spend(wrong)
    passes(wrong)
    assert shown(wrong)[RED] == 2 * COST
    left = wrong.budgets()["tags"]["red"].resets_at_unix_ms / 1000 - time.time()
    assert abs(left - 3600) < LONG
    wrong.stop()
    # A restart on a clock that went a day back or ahead.
    again = start(config, "--redis", redis.url, *FAST, environment=clock.environment,
                  directory=wrong.directory)
    spend(again)
    key = spend_key(*RED, "1h")
    agree(redis, [again, right], {RED: key}, {RED: 3 * COST}, adds=10)
    clock.close()


def test_redis_clock_jumps(start, tmp_path):
    """By less than the bound it is followed. Ahead: windows end early, with their spend in them.
    Back: none is opened again."""
    clock = ShiftedClock(tmp_path / "clock", 86_400)
    key = spend_key(*RED, "1h")
    with redis_service(environment=clock.environment) as service:
        nodes = [start(config_text(tags={"red": (100.0, "1h")}), "--redis", service.url, *FAST,
                       "--clock-jump-bound-s", "86400") for _ in range(2)]
        for node in nodes:
            spend(node)
        agree(service, nodes, {RED: key}, {RED: 2 * COST}, adds=10)
        clock.advance(7200)
        for node in nodes:
            passes(node)
            eventually(lambda: shown(node)[RED] == 0, LONG, "the window is over")
        for node in nodes:
            spend(node, cost=3 * COST)
        agree(service, nodes, {RED: key}, {RED: 6 * COST}, adds=10)
        clock.advance(-7200)
        # Fleet time stands still until it is reached again; spend still goes to the open window.
        for node in nodes:
            spend(node)
        agree(service, nodes, {RED: key}, {RED: 8 * COST}, adds=10)
        for node in nodes:
            node.stop()
            amounts = [a for a in ledger_windows(node.directory)[RED].values() if a]
            assert sorted(amounts) == [COST, 4 * COST]
    clock.close()


def test_redis_centuries_ahead(start, tmp_path):
    """Not believed, in words; limits hold meanwhile and after it, and no window ends by it."""
    clock = ShiftedClock(tmp_path / "clock")
    key, free = spend_key(*RED, "1h"), (("x", "groq/llama-3.3-70b-versatile"),)
    with redis_service(environment=clock.environment) as service:
        nodes = nodes_of(start, service, config_text(tags={"red": (1.0, "1h")}))
        for node in nodes:
            spend(node, cost=Decimal("0.25"))
        agree(service, nodes, {RED: key}, {RED: Decimal("0.5")}, adds=10)
        ends = [node.budgets()["tags"]["red"].resets_at_unix_ms for node in nodes]
        far = 220 * 365 * 86_400  # as many nanoseconds as the shift can hold
        for jump in (far, -86_400):
            clock.advance(jump)
            for node in nodes:
                said = eventually(lambda: not_ready(node), LONG, "not ready")
                assert "Redis' clock says" in said and "--clock-jump-bound-s" in said, said
                assert scrape(node).get("budgetd_redis_clock_doubted") == 1
                assert shown(node)[RED] == Decimal("0.5")
                tries(node)
            clock.advance(-jump)
            for node in nodes:
                eventually(lambda: ask(node, "/readyz")[0] == 200, LONG, "ready again")
                passes(node)
        for node in nodes:
            spend(node, cost=Decimal("0.25"))
        agree(service, nodes, {RED: key}, {RED: Decimal(1)}, adds=10)
        for node, end in zip(nodes, ends):
            assert allowed(node, free, ["red"]) == [], "the limit is reached"
            assert abs(node.budgets()["tags"]["red"].resets_at_unix_ms - end) <= 50
            assert scrape(node).get("budgetd_late_spend_dollars_total") == 0
            assert node.log.count("Until then nothing is sent") == 2, "told once a jump"
            assert "clock is believed again" in node.log
    clock.close()


def test_a_jump_that_the_hosts_clock_confirms(start, tmp_path):
    """As where both were set right: followed by the next pass."""
    clock = ShiftedClock(tmp_path / "clock", wall_only=True)
    with redis_service(environment=clock.environment) as service:
        config = config_text(tags={"red": (100.0, "1d")})
        node = start(config, "--redis", service.url, *FAST, environment=clock.environment)
        spend(node)
        passes(node)
        clock.advance(7200)
        eventually(lambda: abs(reconciled_at(node) / 1000 - clock.now()) < 60, LONG, "followed")
        passes(node)
        assert shown(node)[RED] == COST and ask(node, "/readyz")[0] == 200
        assert scrape(node).get("budgetd_redis_clock_jumps_total") == 1
    clock.close()


def test_limits_and_windows_change(start, redis):
    nodes = nodes_of(start, redis, config_text(tags={"red": (1.0, "1h"), "blue": (5.0, "1h")}))
    a, b = nodes
    spend(a, cost=Decimal("0.5"))
    spend(b, "blue")
    keys = {RED: spend_key(*RED, "1h")}
    agree(redis, nodes, keys, {RED: Decimal("0.5")}, adds=10)
    free = (("x", "groq/llama-3.3-70b-versatile"),)
    assert allowed(b, free, ["red"]) == ["x"]
    lowered = config_text(tags={"red": (0.4, "1h")})
    for node in nodes:
        node.reload(lowered)
        eventually(lambda: "blue" not in node.budgets()["tags"], LONG, "reloaded")
        assert allowed(node, free, ["red"]) == []
    again = config_text(tags={"red": (0.4, "2h"), "blue": (5.0, "1h")})
    for node in nodes:
        node.reload(again)
        eventually(lambda: "blue" in node.budgets()["tags"], LONG, "reloaded")
    spend(a, cost=Decimal("0.25"))
    keys = {RED: spend_key(*RED, "2h"), ("tags", "blue"): spend_key("tags", "blue", "1h")}
    agree(redis, nodes, keys, {RED: Decimal("0.25"), ("tags", "blue"): COST}, adds=10)
