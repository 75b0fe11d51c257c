"""Scenarios answered by the real LiteLLM (Tests/Vectors), replayed through a running budgetd.

A scenario runs on the real clock within milliseconds, so it fits where all its steps lie within
one window: whole scenarios whose last step is earlier than the end of every window, and of the
others the leading steps that are. `want` (where budgetd differs on purpose) wins over `expect`,
`message_fixed` over its message.
"""

import concurrent.futures
import datetime
import json
import math
import re
import time

import pytest
import yaml

from budget_client import pb
from conftest import OK, VECTORS, Server, code_of, name_of, run

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "mo": 28 * 86_400,
           "hourly": 3600, "daily": 86_400, "weekly": 604_800, "monthly": 30 * 86_400}


def window_texts(config):
    entries = [*config.get("provider_budget_config", {}).values(),
               *config.get("tag_budget_config", {}).values(),
               *(model["litellm_params"] for model in config.get("model_list", []))]
    for entry in entries:
        text = entry.get("time_period", entry.get("budget_duration"))
        if text is not None:
            yield text


def seconds(text):
    """The least that a window can last; 0 where the text is none."""
    match = re.fullmatch(r"(\d+)(mo|[smhdw])|(hourly|daily|weekly|monthly)", text)
    if not match:
        return 0
    return SECONDS[match[3]] if match[3] else int(match[1]) * SECONDS[match[2]]


def wanted(step):
    return step["want"] if "want" in step else step.get("expect")


def is_refused(scenario):
    config_error = {"config_error": True}
    return scenario.get("want") == config_error or any(
        wanted(step) == config_error for step in scenario["steps"])


def load():
    """(name, scenario) of what fits: whole ones, leading parts, refused configurations."""
    whole, parts, refused = {}, {}, {}
    for file in ("public.jsonl", "quirks.jsonl"):
        for line in (VECTORS / file).read_text().splitlines():
            scenario = json.loads(line)
            steps = scenario["steps"]
            single = scenario.get("mode", "memory") == "memory" and len(
                scenario.get("instances", [1])) == 1
            if not single or {step["op"] for step in steps} - {"record", "filter", "budgets"}:
                continue
            if is_refused(scenario):
                refused[scenario["name"]] = scenario
                continue
            length = min(map(seconds, window_texts(scenario["config"])), default=math.inf)
            leading = [step for step in steps if step["at"] < length]
            if len(leading) == len(steps):
                whole[scenario["name"]] = scenario
            elif leading:
                parts[scenario["name"]] = {**scenario, "steps": leading}
    return whole, parts, refused


WHOLE, PARTS, REFUSED = load()


def config_yaml(config):
    document = {}
    if "model_list" in config:
        document["model_list"] = config["model_list"]
    if "provider_budget_config" in config:
        document["router_settings"] = {"provider_budget_config": config["provider_budget_config"]}
    if "tag_budget_config" in config:
        document["litellm_settings"] = {"tag_budget_config": config["tag_budget_config"]}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def close(a, b):
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=1e-12, abs_tol=0)


def differences(server, scenario):
    """Replays the steps; one text per answer that is not as wanted."""
    with server.client() as client:
        found = []
        for number, step in enumerate(scenario["steps"]):
            problem = OPERATIONS[step["op"]](client, step, server, scenario)
            if problem:
                found.append(f"step {number} at {step['at']} ({step['op']}): {problem}")
        return found


def tags_of(step):
    return [step["tags"]] if isinstance(step["tags"], str) else step["tags"]


def record(client, step, *_):
    response = client.call(record_spend=dict(
        provider=step["provider"] or "", deployment_id=step["model_id"] or "",
        tags=tags_of(step), cost_usd=float(step["cost"])))
    if (wanted(step) or {}).get("error"):
        return "" if name_of(response) == "INVALID_ARGUMENT" else f"recorded {step['cost']}"
    return "" if code_of(response) == OK else str(response.status)


def filter_deployments(client, step, *_):
    deployments = step["deployments"]
    response = client.call(filter_deployments=dict(tags=tags_of(step), deployments=[
        dict(id=d["id"], model_name=d["model_name"], model=d["model"],
             provider=d.get("provider") or "") for d in deployments]))
    exhausted = code_of(response) == pb.Status.RESOURCE_EXHAUSTED
    seen = {
        "allowed": [deployments[i]["id"] for i in response.filter_deployments.allowed],
        "exhausted": exhausted,
        "message": response.status.message if exhausted else None,
    }
    if not exhausted and code_of(response) != OK:
        return str(response.status)
    want = dict(wanted(step))
    if "want" not in step and "message_fixed" in want:
        want["message"] = want["message_fixed"]
    want.pop("message_fixed", None)
    if want["message"] == "*" and seen["message"]:
        want["message"] = seen["message"]
    return "" if seen == want else f"\n  want {want}\n  seen {seen}"


def budgets(client, step, server, scenario):
    response = client.call(get_provider_budgets={})
    seen = {b.name: b for b in response.get_provider_budgets.providers}
    want = wanted(step)
    if list(seen) != list(want):
        return f"names {list(seen)}, want {list(want)} in this order"
    for name, budget in seen.items():
        expected = want[name]
        limit = budget.limit_usd if budget.HasField("limit_usd") else None
        period = expected["time_period"]
        if not close(limit, expected["budget_limit"]):
            return f"{name}: limit {limit}, want {expected['budget_limit']}"
        if budget.time_period != (period or ""):
            return f"{name}: window {budget.time_period!r}, want {period!r}"
        if not close(budget.spend_usd, expected["spend"]):
            return f"{name}: spend {budget.spend_usd}, want {expected['spend']}"
        if budget.HasField("resets_at_unix_ms") != (expected["budget_reset_at"] is not None):
            return f"{name}: resets at {budget.resets_at_unix_ms}, want {expected}"
        if expected["budget_reset_at"] is not None:
            end = window_end(server.started, period)
            if abs(budget.resets_at_unix_ms / 1000 - end) > server.ready - server.started + 1:
                return f"{name}: resets at {budget.resets_at_unix_ms}, want about {end}"
    return ""


def window_end(start, text):
    """Providers' first windows open at the start of the server."""
    months = re.fullmatch(r"(\d+)mo", text)
    if not months:
        return start + seconds(text)
    now = datetime.datetime.fromtimestamp(start, datetime.timezone.utc)
    index = now.year * 12 + now.month - 1 + int(months[1])
    year, month = divmod(index, 12)
    after = datetime.date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    last = (after - datetime.timedelta(days=1)).day
    return now.replace(year=year, month=month + 1, day=min(now.day, last)).timestamp()


OPERATIONS = {"record": record, "filter": filter_deployments, "budgets": budgets}


def replay(budgetd, directory, scenario):
    started = time.time()
    server = Server(budgetd, directory, config_yaml(scenario["config"]), "--log-level", "error")
    try:
        server.started, server.ready = started, time.time()
        found = differences(server, scenario)
        server.stop()
        return found
    finally:
        server.kill()


@pytest.fixture(scope="module")
def replays(request, budgetd, tmp_path_factory):
    """The selected scenarios, each on a server of its own, four at a time."""
    chosen = [item.callspec.params["name"] for item in request.session.items
              if "replays" in getattr(item, "fixturenames", ()) and hasattr(item, "callspec")]
    directory = tmp_path_factory.mktemp("replay")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        yield {name: pool.submit(
            replay, budgetd, directory / str(number), WHOLE.get(name) or PARTS[name])
            for number, name in enumerate(chosen)}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", WHOLE)
def test_whole_scenario(replays, name):
    found = replays[name].result(60)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", PARTS)
def test_leading_part_of_a_scenario(replays, name):
    found = replays[name].result(60)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", REFUSED)
def test_config_that_litellm_would_not_enforce_is_refused(budgetd, tmp_path, name):
    config = tmp_path / "config.yaml"
    config.write_text(config_yaml(REFUSED[name]["config"]))
    result = run(budgetd, "--config", config, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
                 "--data-dir", tmp_path / "data")
    assert result.returncode == 78, result
    assert re.search(r"config\.yaml:\d+", result.stderr)


def test_there_are_scenarios():
    assert len(WHOLE) >= 70 and len(PARTS) >= 150 and len(REFUSED) >= 4
