"""Budgets that names get from patterns, in real processes: everyone's own limit, restarts, a bound."""

import json
import re
import subprocess

from conftest import LONG, OK, SHORT, code_of, eventually
from http_client import ask, scrape
from ledger_clients import dollars, in_threads

# The example of deploy/configuration.md, with a window that no test outlives.
CONFIG = """
budgetd:
  dynamic_budgets_full: deny
  budgets:
    - {tag: "user:*", limit: 5, window: year}
    - {tag: "user:ann", limit: 50, window: year}
"""


def is_allowed(server, *tags):
    reply = server.call(filter_deployments=dict(
        deployments=[dict(id="d", provider="openai")], tags=list(tags)))
    return list(reply.filter_deployments.allowed) == [0]


def tags(server, **request):
    reply = server.call(get_provider_budgets=request)
    assert code_of(reply) == OK, reply.status
    return {tag.name: dollars(tag.spend_usd) for tag in reply.get_provider_budgets.tags}


def test_everyone_has_a_limit_of_his_own(start, tmp_path):
    server = start(CONFIG, directory=tmp_path / "node")
    names = [f"user:{number}" for number in range(50)]
    for name in [*names, "user:ann"]:
        assert is_allowed(server, name)

    def charge(number):
        for name in names:
            for _ in range(5):
                assert server.record(cost=0.25, tags=[name]).budgets_charged == 1

    in_threads([(charge, number) for number in range(4)])
    assert server.record(cost=5.0, tags=["user:ann"]).budgets_charged == 1
    for name in names:
        assert not is_allowed(server, name)
    assert is_allowed(server, "user:ann") and is_allowed(server, "user:new")
    assert tags(server, tags=names) == {name: 5 for name in names}
    # Killed: everyone finds his spend, in the window that it was in.
    server.kill()
    server = start(CONFIG, directory=tmp_path / "node")
    assert tags(server, tags=names) == {name: 5 for name in names}
    assert not any(is_allowed(server, name) for name in names)
    assert is_allowed(server, "user:ann")
    # A limit of a pattern is everyone's, and an entry goes on with its name's spend.
    server.reload(CONFIG.replace("limit: 5,", "limit: 6,")
                  + '    - {tag: "user:7", limit: 5, window: year}\n')
    eventually(lambda: is_allowed(server, "user:3"), LONG, "the new limit")
    assert not is_allowed(server, "user:7")
    assert tags(server, tags=["user:7"]) == {"user:7": 5}
    assert server.record(cost=0.5, tags=["user:7"]).budgets_charged == 1
    assert tags(server, tags=["user:7"]) == {"user:7": 5.5}


def test_names_stay_out_of_metrics_and_lists(start, tmp_path):
    server = start(CONFIG, "--dynamic-budgets", "3", "--http", "127.0.0.1:0")
    for number in range(5):
        assert server.record(cost=number + 1, tags=[f"user:{number}"]).budgets_charged == 1
    metrics = scrape(server)
    labels = dict(scope="tag", pattern="user:*", window="year")
    assert metrics.get("budgetd_pattern_live", **labels) == 3
    assert metrics.get("budgetd_pattern_spend_dollars", **labels) == 6
    assert metrics.get("budgetd_pattern_exhausted", **labels) == 0
    assert metrics.get("budgetd_pattern_overflowed_total", **labels) == 2
    assert metrics.get("budgetd_dynamic_budgets_max") == 3
    # Nothing is lost of those that found no place, and filters of them are denied.
    assert tags(server, include_tags=True) == {"user:*": 9, "user:ann": 0}
    assert is_allowed(server, "user:2") and not is_allowed(server, "user:3")
    status, _, text = ask(server, "/metrics")
    assert status == 200 and not re.search(r"user:\d", str(text))
    # The page shows what each name may spend, how many there are, and the nearest to their limits.
    status, _, text = ask(server, "/status.json")
    shown = {budget["name"]: budget for budget in json.loads(text)["budgets"]}
    assert set(shown) == {"user:*", "user:ann", "user:0", "user:1", "user:2"}
    assert shown["user:2"]["spend"] == "3" and shown["user:2"]["pattern"] is None
    pattern = shown["user:*"]["pattern"]
    assert (pattern["live"], pattern["exhausted"], pattern["spend"]) == (3, 0, "6")
    row = next(tag for tag in server.call(get_provider_budgets=dict(include_tags=True))
               .get_provider_budgets.tags if tag.name == "user:*")
    assert row.pattern.live == 3 and row.pattern.limit_usd == 5 and not row.HasField("limit_usd")
    eventually(lambda: "--dynamic-budgets" in server.log, LONG, "a line about the bound")
    line = next(line for line in server.log.splitlines() if "--dynamic-budgets" in line)
    assert "2 charges" in line and "dynamic_budgets_full: deny" in line


def test_the_command_line_shows_the_nearest(start, budgetctl):
    server = start(CONFIG)
    for number in range(5):
        server.record(cost=number, tags=[f"user:{number}"])
    shown = subprocess.run(
        [budgetctl, "--server", "%s:%d" % server.rpc, "budgets", "--pattern", "user:*", "--top", "2",
         "--output", "json"], capture_output=True, text=True, timeout=SHORT, check=True)
    rows = json.loads(shown.stdout)
    assert [row["name"] for row in rows] == ["user:4", "user:3"]
    assert [row["spend_usd"] for row in rows] == [4, 3]
