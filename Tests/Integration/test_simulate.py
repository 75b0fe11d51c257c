"""`budgetctl simulate`: LiteLLM's answers from a trace in virtual time."""

import copy
import json
import math
import re

import pytest

from conftest import VECTORS, config_text, run

SCENARIO = {
    "name": "one",
    "start": "2026-01-15T00:00:00Z",
    "config": {"provider_budget_config": {"openai": {"budget_limit": 1.0, "time_period": "60s"}}},
    "steps": [
        {"at": 0, "op": "record", "provider": "openai", "model_id": "o1", "tags": [], "cost": 1.5},
        {"at": 1, "op": "filter", "tags": [], "deployments": [
            {"model_name": "g", "model": "openai/gpt-4o", "id": "o1"},
            {"model_name": "g", "model": "anthropic/claude-3", "id": "a1"}],
         "expect": {"allowed": ["a1"], "exhausted": False, "message": None}},
        {"at": 2, "op": "filter", "tags": [], "deployments": [
            {"model_name": "g", "model": "openai/gpt-4o", "id": "o1"}],
         "expect": {"allowed": [], "exhausted": True, "message":
                    "No deployments available - crossed budget: "
                    "Exceeded budget for provider openai: 1.5 >= 1.0\n"}},
        {"at": 3, "op": "budgets", "expect": {"openai": {
            "budget_limit": 1.0, "time_period": "60s", "spend": 1.5,
            "budget_reset_at": "2026-01-15T00:01:00+00:00"}}},
        {"at": 61, "op": "filter", "tags": [], "deployments": [
            {"model_name": "g", "model": "openai/gpt-4o", "id": "o1"}],
         "expect": {"allowed": ["o1"], "exhausted": False, "message": None}},
        {"at": 62, "op": "budgets", "expect": {"openai": {
            "budget_limit": 1.0, "time_period": "60s", "spend": 0.0, "budget_reset_at": None}}},
    ],
}


@pytest.fixture
def simulate(budgetctl, tmp_path):
    def simulate(*scenarios, options=()):
        trace = tmp_path / "trace.jsonl"
        trace.write_text("".join(json.dumps(scenario) + "\n" for scenario in scenarios))
        return run(budgetctl, "simulate", trace, *options)
    return simulate


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("file", ["public.jsonl", "quirks.jsonl"])
def test_vectors_agree(budgetctl, file):
    result = run(budgetctl, "simulate", VECTORS / file, "--check", timeout=120)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]


@pytest.mark.parametrize("file", ["public.jsonl", "quirks.jsonl"])
def test_one_line_per_scenario(budgetctl, file):
    result = run(budgetctl, "simulate", VECTORS / file, timeout=120)
    assert result.returncode == 0, result.stderr
    scenarios = [json.loads(line) for line in (VECTORS / file).read_text().splitlines()]
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["name"] for line in found] == [scenario["name"] for scenario in scenarios]
    for scenario, line in zip(scenarios, found):
        if "skipped" in line or "config_error" in line:
            continue
        asked = [step for step in scenario["steps"] if step["op"] in ("filter", "budgets")]
        assert len(line["results"]) == len(asked), line["name"]
        for step, answer in zip(asked, line["results"]):
            expect = step["expect"]
            if step["op"] == "filter":
                assert set(answer) == {"allowed", "exhausted", "message"}
                assert answer["exhausted"] == (answer["message"] is not None)
            else:
                assert list(answer) == list(expect)
                for budget in answer.values():
                    assert set(budget) == {
                        "budget_limit", "time_period", "spend", "budget_reset_at"}
    if file == "public.jsonl":
        refused = [line["name"] for line in found if "config_error" in line]
        assert refused == [s["name"] for s in scenarios if "want" in s] and len(refused) == 2
        assert not any("skipped" in line for line in found)
    else:
        several = {s["name"] for s in scenarios if s["mode"] == "redis" or len(s["instances"]) > 1}
        assert {line["name"] for line in found if "skipped" in line} <= several
        assert [line["name"] for line in found if "config_error" in line] == [
            "provider_without_window_never_enforced", "invalid_duration_disables_every_level",
            "duration_suffix_ignored"]


def test_results_of_a_trace(simulate):
    result = simulate(SCENARIO)
    assert result.returncode == 0, result.stderr
    line, = map(json.loads, result.stdout.splitlines())
    assert line["name"] == "one"
    wanted = [step["expect"] for step in SCENARIO["steps"] if "expect" in step]
    assert line["results"] == wanted


@pytest.mark.parametrize("step, change", [
    (1, {"allowed": ["o1", "a1"]}), (1, {"allowed": []}), (2, {"exhausted": False}),
    (2, {"message": "something else"}), (2, {"message": None}),
    (3, {"openai": {"budget_limit": 1.0, "time_period": "60s", "spend": 1.5000000001,
                    "budget_reset_at": "2026-01-15T00:01:00+00:00"}}),
    (3, {"openai": {"budget_limit": 2.0, "time_period": "60s", "spend": 1.5,
                    "budget_reset_at": "2026-01-15T00:01:00+00:00"}}),
    (3, {"openai": {"budget_limit": 1.0, "time_period": "60s", "spend": 1.5,
                    "budget_reset_at": "2026-01-15T00:01:03+00:00"}}),
    (5, {"openai": {"budget_limit": 1.0, "time_period": "60s", "spend": 0.0,
                    "budget_reset_at": "2026-01-15T00:02:00+00:00"}}),
    (3, {"azure": {"budget_limit": 1.0, "time_period": "60s", "spend": 0.0,
                   "budget_reset_at": None}}),
])
def test_a_false_expectation_is_found(simulate, step, change):
    assert simulate(SCENARIO, options=["--check"]).returncode == 0
    bent = copy.deepcopy(SCENARIO)
    bent["name"] = "bent"
    bent["steps"][step]["expect"].update(change)
    result = simulate(SCENARIO, bent, options=["--check"])
    assert result.returncode == 1, result.stdout
    said = [line for line in (result.stdout + result.stderr).splitlines()
            if "bent" in line and not line.startswith('{"name"')]
    assert said, result.stdout + result.stderr
    assert simulate(SCENARIO, bent).returncode == 0  # only --check compares


def test_want_and_message_fixed_win(simulate):
    bent = copy.deepcopy(SCENARIO)
    step = bent["steps"][2]
    step["want"], step["expect"] = step["expect"], {"allowed": ["o1"], "exhausted": False,
                                                     "message": None}
    assert simulate(bent, options=["--check"]).returncode == 0
    bent = copy.deepcopy(SCENARIO)
    expect = bent["steps"][2]["expect"]
    expect["message_fixed"], expect["message"] = expect["message"], "as LiteLLM prints it"
    assert simulate(bent, options=["--check"]).returncode == 0
    bent["steps"][2]["expect"]["message_fixed"] = "neither"
    assert simulate(bent, options=["--check"]).returncode == 1


def test_refused_config(simulate):
    refused = copy.deepcopy(SCENARIO)
    refused["config"]["provider_budget_config"]["openai"] = {"budget_limit": 1.0}
    line, after = lines(simulate(refused, SCENARIO))
    assert line["name"] == "one" and line["config_error"]
    assert after["results"]  # the next scenario still runs
    assert simulate(refused, options=["--check"]).returncode == 1
    refused["want"] = {"config_error": True}
    assert simulate(refused, options=["--check"]).returncode == 0
    accepted = copy.deepcopy(SCENARIO) | {"want": {"config_error": True}}
    assert simulate(accepted, options=["--check"]).returncode == 1


def test_a_cost_that_must_be_refused(simulate):
    for cost in ("NaN", "Infinity", -0.5):
        scenario = copy.deepcopy(SCENARIO)
        scenario["steps"].insert(0, {
            "at": 0, "op": "record", "provider": "openai", "model_id": "o1", "tags": [],
            "cost": cost, "want": {"error": "*"}})
        assert simulate(scenario, options=["--check"]).returncode == 0, cost
        scenario["steps"][0]["cost"] = 0.0
        assert simulate(scenario, options=["--check"]).returncode == 1, cost


def test_other_budgets_for_the_same_traffic(simulate, tmp_path):
    config = tmp_path / "what-if.yaml"
    config.write_text(config_text({"openai": (2.0, "1h"), "azure": (1.0, "1d")}))
    result = simulate(SCENARIO, options=["--config", config])
    assert result.returncode == 0, result.stderr
    line, = lines(result)
    first, second, budgets, later, last = line["results"]
    assert first["allowed"] == ["o1", "a1"] and second["allowed"] == later["allowed"] == ["o1"]
    assert budgets["openai"]["budget_limit"] == 2.0 and math.isclose(last["openai"]["spend"], 1.5)
    assert list(last) == ["openai", "azure"]
    config.write_text(
        "router_settings:\n  provider_budget_config:\n    openai: {budget_limit: 1}\n")
    result = simulate(SCENARIO, options=["--config", config])
    assert result.returncode == 78 and "what-if.yaml:3" in result.stderr


@pytest.mark.parametrize("text", ["not json\n", '{"name": "x"}\n', "[]\n", '{"name": "x", '])
def test_a_trace_that_is_none(budgetctl, tmp_path, text):
    trace = tmp_path / "broken.jsonl"
    trace.write_text(json.dumps(SCENARIO) + "\n" + text)
    result = run(budgetctl, "simulate", trace)
    assert result.returncode not in (0, 1), result
    assert re.search(r"broken\.jsonl:(2|\s*line 2)\b", result.stderr), result.stderr


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_trace_without_a_scenario_agrees_with_nothing(budgetctl, tmp_path, text):
    trace = tmp_path / "empty.jsonl"
    trace.write_text(text)
    result = run(budgetctl, "simulate", trace, "--check")
    assert result.returncode == 78 and "no scenario" in result.stderr, result
    assert not result.stdout


def test_a_trace_that_is_not_there(budgetctl, tmp_path):
    result = run(budgetctl, "simulate", tmp_path / "nowhere.jsonl")
    assert result.returncode not in (0, 1) and "nowhere.jsonl" in result.stderr
