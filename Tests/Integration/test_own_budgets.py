"""Budgets that LiteLLM has no words for, in real processes: several windows on a name, calendars,
models, pools, everything together; restarts, fleets, directories of the release before."""

import tarfile
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from conftest import LONG, OK, SHORT, code_of, eventually
from fleet import FAST, ledger_windows, marker, passes
from http_client import ask, scrape
from ledger_clients import dollars, in_threads
from redis_servers import redis_service
from shifted_clock import ShiftedClock

LEDGERS = Path(__file__).resolve().parent / "ledgers"
HOUR = 3600
CONFIG = """
model_list:
- model_name: chat
  litellm_params: {model: openai/gpt-4o}
  model_info: {id: paid}
- model_name: chat
  litellm_params: {model: ollama/llama3, input_cost_per_token: 0, output_cost_per_token: 0}
  model_info: {id: local}
router_settings:
  model_group_alias: {default: chat}
  provider_budget_config:
    openai: {budget_limit: 15, time_period: 1d}
budgetd:
  time_zone: Europe/Berlin
  budgets:
  - {provider: openai, limit: 100, window: year}
  - {provider: openai, limit: 12, window: 36h}
  - {model: chat, limit: 300, window: year}
  - {pool: frontier, of: {providers: [openai, azure]}, limit: 50, window: year}
  - {total: true, limit: 1, window: year, mode: shadow}
"""


def every_budget(server):
    """{(scope, name, window): Budget} of all scopes."""
    with server.client() as client:
        response = client.call(get_provider_budgets=dict(
            include_deployments=True, include_tags=True, include_models=True, include_pools=True))
    assert code_of(response) == OK, response.status
    page = response.get_provider_budgets
    return {(scope, budget.name, budget.time_period): budget
            for scope in ("providers", "deployments", "models", "pools", "tags", "total")
            for budget in getattr(page, scope)}


def spends(server):
    return {key: dollars(budget.spend_usd) for key, budget in every_budget(server).items()}


def asked(server, **request):
    return server.call(filter_deployments=dict(model_name="default", **request)).filter_deployments


def test_each_window_denies_at_its_own_limit(start, tmp_path):
    server = start(CONFIG, directory=tmp_path / "node")
    assert server.record(deployment_id="paid", cost=12.0).budgets_charged == 6
    answer = asked(server)
    assert [answer.candidates[place].id for place in answer.allowed] == ["local"]
    (denial,) = answer.denials
    assert (denial.window, denial.limit_usd) == ("36h", 12)
    # LiteLLM's page and metric have LiteLLM's budget alone.
    status, _, text = ask(server, "/provider/budgets")
    assert status == 200 and yaml.safe_load(text)["providers"] == {
        "openai": {"budget_limit": 15.0, "time_period": "1d", "spend": 12.0,
                   "budget_reset_at": yaml.safe_load(text)["providers"]["openai"]["budget_reset_at"]}}
    metrics = scrape(server)
    assert metrics.get("litellm_provider_remaining_budget_metric", api_provider="openai") == 3
    assert metrics.get("budgetd_budget_shadow_denials_total", scope="total", name="total",
                       window="year") == 1
    # What was spent is there after a kill, each in its window.
    before, ends = spends(server), {k: b.resets_at_unix_ms for k, b in every_budget(server).items()}
    assert set(before.values()) == {Decimal(12)}
    server.kill()
    server = start(CONFIG, directory=tmp_path / "node")
    assert spends(server) == before
    assert {k: b.resets_at_unix_ms for k, b in every_budget(server).items()} == ends
    # Another limit lets requests through again, and the spend stays.
    server.reload(CONFIG.replace("limit: 12, window: 36h", "limit: 13, window: 36h"))
    eventually(lambda: len(asked(server).allowed) == 2, LONG, "the new limit")
    assert spends(server) == before


@pytest.fixture
def redis():
    with redis_service() as service:
        yield service


def test_the_section_has_keys_of_its_own(start, redis):
    nodes = [start(CONFIG, "--redis", redis.url, *FAST) for _ in range(2)]
    for node in nodes:
        node.record(deployment_id="paid", cost=0.25)
    keys = {
        ("providers", "openai", "1d"): "provider_spend:openai:1d",
        ("providers", "openai", "year"): "budgetd_spend:provider:year:openai",
        ("providers", "openai", "36h"): "budgetd_spend:provider:36h:openai",
        ("models", "chat", "year"): "budgetd_spend:model:year:chat",
        ("pools", "frontier", "year"): "budgetd_spend:pool:year:frontier",
        ("total", "total", "year"): "budgetd_spend:total:year:total",
    }

    def agree():
        with redis.client() as client:
            return all(client("GET", key) == "0.5" for key in keys.values()) and all(
                spends(node)[budget] == Decimal("0.5") for node in nodes for budget in keys)

    eventually(agree, LONG, "both nodes' spend in every budget")
    with redis.client() as client:
        starts = {key for key in client("KEYS", "*") if "start_time" in key}
        # Windows of a calendar have no start key.
        assert starts == {"provider_budget_start_time:openai",
                          "budgetd_budget_start_time:provider:36h:openai"}
        for budget, key in keys.items():
            assert marker(client, key).total == Decimal("0.5"), budget
            ends = {every_budget(node)[budget].resets_at_unix_ms for node in nodes}
            assert len(ends) == 1 and abs(ends.pop() - marker(client, key).end) <= 1, budget


def test_three_nodes_cross_a_full_hour(start, redis_of, tmp_path):
    """Clocks two seconds apart, load across the boundary: every dollar is in one window, and all
    three nodes agree which."""
    clocks = [ShiftedClock(tmp_path / f"clock{n}") for n in range(3)]
    store = ShiftedClock(tmp_path / "store")
    left = HOUR - store.now() % HOUR
    store.advance(left - 4)
    for clock, apart in zip(clocks, (-2, 0, 2)):
        clock.advance(left - 4 + apart)
    boundary = (int(store.now()) // HOUR + 1) * HOUR * 1000
    config = "budgetd: {budgets: [{tag: red, limit: 100, window: hour}]}"
    with redis_of(store) as service:
        nodes = [start(config, "--redis", service.url, *FAST, environment=clock.environment)
                 for clock in clocks]
        accepted, lock = [], threading.Lock()

        def charge(node, number):
            count = 0
            with node.client() as client:
                while store.now() * 1000 < boundary + 3000:
                    response = client.call(record_spend=dict(
                        cost_usd=0.001, tags=["red"], idempotency_key=f"{number}-{count}"))
                    assert code_of(response) == OK, response.status
                    count += 1
            with lock:
                accepted.append(count)

        in_threads([(charge, node, number) for number, node in enumerate(nodes)])
        for node in nodes:
            passes(node)
        with service.client() as client:
            after = marker(client, "budgetd_spend:tag:hour:red")
        for node in nodes:
            node.stop()
        windows = [ledger_windows(node.directory)["tags", "red"] for node in nodes]
    ends = {end for each in windows for end in each}
    assert ends == {boundary - 1, boundary + HOUR * 1000 - 1}
    total = sum((sum(each.values(), Decimal(0)) for each in windows), Decimal(0))
    assert total == Decimal("0.001") * sum(accepted)
    in_second = sum((each.get(boundary + HOUR * 1000 - 1, Decimal(0)) for each in windows), Decimal(0))
    assert 0 < in_second < total
    assert (after.end, after.total) == (boundary + HOUR * 1000 - 1, in_second)


@pytest.fixture
def redis_of():
    return lambda clock: redis_service(environment=clock.environment)


OLD = """
model_list:
- model_name: chat
  litellm_params: {model: openai/gpt-4o, max_budget: 50, budget_duration: 3650d}
  model_info: {id: d-1}
router_settings:
  provider_budget_config:
    openai: {budget_limit: 100, time_period: 3650d}
    azure: {budget_limit: 7, time_period: 120mo}
litellm_settings:
  tag_budget_config:
    red: {max_budget: 30, budget_duration: 3650d}
"""


def test_a_directory_of_the_release_before(start, tmp_path):
    """Written by 0.4.0 as a member of a fleet, which was killed: open windows, keys, the fleet's
    records, a log that was not taken over."""
    data = tmp_path / "node" / "data"
    data.mkdir(parents=True, mode=0o700)
    with tarfile.open(LEDGERS / "0.4.0.tar.gz") as archive:
        archive.extractall(data, filter="data")
    wanted = {
        ("providers", "openai", "3650d"): Decimal("4.25"),
        ("providers", "azure", "120mo"): Decimal("0.000000000001"),
        ("deployments", "d-1", "3650d"): Decimal("1.25"),
        ("tags", "red", "3650d"): Decimal("4.25"),
    }
    node = start(OLD, directory=tmp_path / "node")
    assert spends(node) == wanted
    # Killed after the migration, with a budget that the old layout had no room for.
    more = OLD + "budgetd: {budgets: [{total: true, limit: 9, window: year}]}\n"
    for _ in range(2):
        node.kill()
        node = start(more, directory=tmp_path / "node")
        node.record(deployment_id="d-1", cost=0.5)
        for budget in (("providers", "openai", "3650d"), ("deployments", "d-1", "3650d")):
            wanted[budget] += Decimal("0.5")
        total = ("total", "total", "year")
        wanted[total] = wanted.get(total, Decimal(0)) + Decimal("0.5")
        assert spends(node) == wanted
    assert "ledger" in node.log
