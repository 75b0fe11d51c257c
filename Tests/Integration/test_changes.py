"""Limits and modes changed while it runs: budgetctl, what holds, who is told, what outlives a kill."""

import json
import re

import pytest
import yaml

from budget_client import pb
from conftest import OK, code_of, config_text, eventually, run

CONFIG = config_text(
    {"openai": (1.0, "1d"), "azure": (5.0, "1d")}, {"red": (5.0, "1w")},
    [("d-1", "gpt", "openai/gpt-4o", 2.0, "1d"), ("d-2", "gpt", "groq/llama")])
OWN = """
budgetd:
  budgets:
    - {tag: "user:*", limit: 5, window: day}
    - {provider: openai, limit: 40, window: month}
"""


@pytest.fixture
def ctl(budgetctl):
    def ctl(server, *arguments, code=0):
        result = run(budgetctl, "--server", "%s:%d" % server.rpc, *arguments)
        assert result.returncode == code, result
        return result.stdout + result.stderr
    return ctl


def allowed(server, provider, tags=()):
    response = server.call(filter_deployments=dict(
        deployments=[dict(id="x", provider=provider)], tags=list(tags)))
    assert response.status.code in (OK, 8), response.status
    return bool(response.filter_deployments.allowed), response.status.message


def test_a_limit_is_raised_and_goes_back(start, ctl):
    server = start(CONFIG)
    server.record("openai", 1.0)
    assert not allowed(server, "openai")[0]
    text = ctl(server, "set", "provider", "openai", "--limit", "1.5", "--reason", "launch")
    assert text == "provider openai per 1d: limit $1.50 (launch); it was limit 1\n"
    assert allowed(server, "openai")[0]
    budget = server.budgets()["providers"]["openai"]
    assert (budget.limit_usd, budget.configured_limit_usd) == (1.5, 1.0)
    assert budget.override_reason == "launch" and budget.remaining_usd == 0.5
    assert "limit $2.25" in ctl(server, "raise", "provider", "openai", "--by", "0.75")
    assert "limit $2.00" in ctl(server, "raise", "provider", "openai", "--by", "-0.25", "--for", "1h")
    found = server.budgets()["providers"]["openai"]
    assert found.override_until_unix_ms > 0 and found.limit_usd == 2
    assert "as configured" in ctl(server, "clear", "provider", "openai")
    assert not allowed(server, "openai")[0]
    assert "nothing was changed" in ctl(server, "clear", "provider", "openai")
    assert re.search(r"clear_budget provider openai by anybody at 127\.0\.0\.1: nothing was changed\n",
                     server.log)


def test_a_change_ends_by_itself(start, ctl):
    server = start(CONFIG)
    server.record("openai", 1.0)
    ctl(server, "set", "provider", "openai", "--limit", "none", "--for", "2s")
    assert allowed(server, "openai")[0]
    eventually(lambda: not allowed(server, "openai")[0], what="the limit to be back")


def test_the_stop_button(start, ctl):
    server = start(CONFIG)
    ctl(server, "freeze", "provider", "openai", "--for", "30m", "--reason", "runaway")
    verdict, message = allowed(server, "openai")
    assert not verdict and "provider openai is frozen: runaway\n" in message
    assert allowed(server, "azure")[0]
    assert "it was no budget, did you mean 'openai'?" in ctl(server, "freeze", "provider", "opnai")
    # A name without a budget, by its deployment too; records are taken and charge nothing there.
    ctl(server, "freeze", "provider", "groq")
    assert not allowed(server, "groq")[0]
    response = server.call(filter_deployments={"model_name": "gpt"})
    assert "provider groq is frozen" in response.status.message
    assert server.record("groq", 3.0).budgets_charged == 0
    ctl(server, "shadow", "provider", "openai")
    server.record("openai", 7.0)
    assert allowed(server, "openai")[0]
    ctl(server, "enforce", "provider", "openai")
    assert not allowed(server, "openai")[0]
    ctl(server, "freeze", "total")
    assert not allowed(server, "azure")[0]
    ctl(server, "clear", "total")
    assert allowed(server, "azure")[0]


def test_names_and_windows(start, ctl):
    server = start(CONFIG + OWN)
    text = ctl(server, "set", "provider", "openai", "--limit", "3", code=1)
    assert "has budgets per 1d, month: give one of these" in text
    ctl(server, "set", "provider", "openai", "--limit", "3", "--window", "month")
    for tag in ("user:alice", "user:bob"):
        server.record("azure", 1.0, tags=[tag])
    ctl(server, "set", "tag", "user:*", "--limit", "1")
    assert not allowed(server, "azure", ["user:bob"])[0]
    ctl(server, "set", "tag", "user:alice", "--limit", "2")
    assert allowed(server, "azure", ["user:alice"])[0]
    assert "limit $2.50" in ctl(server, "raise", "tag", "user:alice", "--by", "0.5")
    assert "limit $1.25" in ctl(server, "raise", "tag", "user:*", "--by", "0.25")
    ctl(server, "freeze", "tag", "user:carol")
    assert not allowed(server, "azure", ["user:carol"])[0]
    for arguments, code in (
            (("set", "provider", "nobody", "--limit", "3"), 1),
            (("set", "provider", "openai", "--limit", "-3", "--window", "1d"), 64),
            (("set", "provider", "openai", "--limit", "3", "--until", "soon"), 64),
            (("freeze", "provider", "openai", "--for", "1"), 64),
            (("freeze", "provider", "openai", "--window", "1d"), 1),
            (("freeze", "provider"), 64)):
        ctl(server, *arguments, code=code)


def test_changes_outlive_a_kill_and_a_reload(start, ctl, tmp_path):
    server = start(CONFIG + OWN, directory=tmp_path / "node")
    server.record("openai", 1.0)
    ctl(server, "set", "provider", "openai", "--limit", "1.5", "--window", "1d")
    ctl(server, "freeze", "tag", "user:alice", "--reason", "abuse")
    ctl(server, "freeze", "provider", "groq")
    server.kill()
    server = start(CONFIG + OWN, directory=tmp_path / "node")
    assert allowed(server, "openai")[0]
    assert "tag user:alice is frozen: abuse" in allowed(server, "azure", ["user:alice"])[1]
    assert not allowed(server, "groq")[0]
    assert "nothing changed" in ctl(server, "reload")
    assert allowed(server, "openai")[0] and not allowed(server, "groq")[0]
    # Its file goes on: the change holds over it.
    document = yaml.safe_load(CONFIG + OWN)
    document["router_settings"]["provider_budget_config"]["openai"]["budget_limit"] = 0.5
    server.config.write_text(yaml.dump(document))
    assert "provider openai per 1d has another limit" in ctl(server, "reload")
    assert allowed(server, "openai")[0]
    ctl(server, "clear", "provider", "openai", "--window", "1d")
    assert server.budgets(providers=["azure"])  # It still answers.
    assert not allowed(server, "openai")[0]
    server.config.write_text("router_settings: [")
    assert "the configuration is refused" in ctl(server, "reload", code=1)
    assert not allowed(server, "openai")[0]


def test_the_audit(start, ctl, budgetctl):
    server = start(CONFIG)
    ctl(server, "set", "provider", "openai", "--limit", "7", "--reason", "it's 3 a.m.")
    ctl(server, "set", "provider", "nobody", "--limit", "7", code=1)
    ctl(server, "freeze", "tag", "red", "--for", "1h")
    ctl(server, "clear", "tag", "red")
    found = json.loads(ctl(server, "changes", "--json"))
    assert [line["action"] for line in found["lines"]] == [
        "clear_budget", "set_budget", "set_budget", "set_budget"]
    newest, freeze, refused, first = found["lines"]
    assert (first["before"], first["after"], first["reason"]) == ("limit 1", "limit 7", "it's 3 a.m.")
    assert refused["refusal"].startswith("provider 'nobody' has no budget") and refused["name"] == "nobody"
    assert freeze["before"] == "enforce" and freeze["after"].startswith("freeze until ")
    assert newest["after"] == "as configured" and newest["author"] == "anybody"
    assert newest["place"].startswith("127.0.0.1")
    (held,) = found["in_force"]
    assert held["name"] == "openai" and held["limit_usd"] == 7
    assert re.search(r"audit: set_budget provider openai per 1d by anybody at 127\.0\.0\.1: "
                     r"limit 1 to limit 7 \(it's 3 a\.m\.\)", server.log)
    table = ctl(server, "changes")
    assert "IN FORCE" in table and "provider openai per 1d" in table
    # A page at a time.
    with server.client() as client:
        seen, token = [], ""
        while True:
            page = client.call(list_changes={"page_size": 3, "page_token": token}).list_changes
            seen += page.lines
            token = page.next_page_token
            if not token:
                break
        assert len(seen) == 4 and len({line.at_unix_ms for line in seen}) >= 1
        assert client.call(list_changes={"page_token": "x"}).status.code == 3


def test_a_version_that_was_replaced(start):
    server = start(CONFIG)
    target = dict(scope=pb.SCOPE_PROVIDER, name="openai")
    first = server.call(set_budget=dict(target, limit_usd=2, if_version=""))
    assert code_of(first) == OK
    version = first.set_budget.change.version
    assert server.call(set_budget=dict(target, limit_usd=3, if_version="")).status.code == 10
    assert code_of(server.call(set_budget=dict(target, limit_usd=3, if_version=version))) == OK
    assert server.call(set_budget=dict(target, limit_usd=3, if_version=version)).status.code == 10
    late = server.call(set_budget=dict(target, limit_usd=3, until_unix_ms=253_402_300_800_000)).status
    assert late.code == 3 and "up to 253402300799999, the end of the year 9999, or 0" in late.message
    for wrong in (dict(limit_usd=-1), dict(limit_usd=2, no_limit=True), {}, dict(mode=7),
                  dict(limit_usd=float("nan")), dict(limit_usd=1, until_unix_ms=5),
                  dict(limit_usd=1, reason="x" * 257)):
        answer = server.call(set_budget=dict(target, **wrong))
        assert answer.status.code == 3, (wrong, answer)
    assert server.budgets()["providers"]["openai"].limit_usd == 3


def test_a_wrong_record_is_put_right(start, ctl, tmp_path):
    config = CONFIG + OWN.replace("limit: 40", "limit: 1e9")
    server = start(config, directory=tmp_path / "node")
    server.record("openai", 0.5)
    server.record("openai", 5_000_000.0)
    assert not allowed(server, "openai")[0]
    text = ctl(server, "reset", "provider", "openai", "--window", "1d", "--to", "0.5",
               "--reason", "wrong record")
    assert "reset to $0.50 (wrong record); it was $5,000,000.50 spent" in text
    assert allowed(server, "openai")[0]

    def budget(node, window):
        (found,) = [found for found in node.call(get_provider_budgets={}).get_provider_budgets.providers
                    if (found.name, found.time_period) == ("openai", window)]
        return found
    assert budget(server, "1d").spend_usd == 0.5
    assert budget(server, "month").spend_usd == 5_000_000.5
    # A calendar's goes on to its usual end, a rolling one lasts its whole length.
    month, day = budget(server, "month").resets_at_unix_ms, budget(server, "1d").resets_at_unix_ms
    ctl(server, "reset", "provider", "openai", "--window", "month")
    assert budget(server, "month").resets_at_unix_ms == month
    assert budget(server, "month").spend_usd == 0
    server.record("openai", 0.25)
    history = json.loads(ctl(server, "history", "provider", "openai", "--window", "1d", "--json"))
    assert [(window["spend_usd"], window["reset"]) for window in history] == [
        (0.75, False), (5_000_000.5, True)]
    assert "a pattern" in ctl(server, "reset", "tag", "user:*", code=1)
    # A name that is frozen without a budget has no window; the next start finds nothing of it.
    ctl(server, "freeze", "total")
    assert "has no budget" in ctl(server, "reset", "total", code=1)
    assert "reset to $1.25" in ctl(server, "reset", "tag", "user:alice", "--to", "1.25")
    server.kill()
    server = start(config, directory=tmp_path / "node")
    assert budget(server, "1d").spend_usd == 0.75 and budget(server, "month").spend_usd == 0.25
    assert budget(server, "1d").resets_at_unix_ms == day
    (line, *_) = json.loads(ctl(server, "changes", "--json"))["lines"]
    assert line["action"] == "reset_budget"
    ctl(server, "clear", "total")
    server.record("azure", 1.0, tags=["user:bob"])
    ctl(server, "reset", "tag", "user:bob", "--to", "2")
    with server.client() as client:
        (bob,) = client.call(get_provider_budgets=dict(
            providers=["x"], tags=["user:bob"])).get_provider_budgets.tags
    assert bob.spend_usd == 2


def test_a_reload_is_told_before_it_happens(start, ctl, tmp_path):
    server = start(CONFIG + OWN)
    server.record("openai", 0.5, tags=["user:alice"])
    ctl(server, "set", "provider", "openai", "--window", "1d", "--limit", "7", "--reason", "launch")
    ctl(server, "set", "provider", "azure", "--limit", "9")
    ctl(server, "freeze", "provider", "groq", "--reason", "runaway")
    path = tmp_path / "next.yaml"
    path.write_text(config_text(
        {"openai": (0.25, "24h"), "mistral": (5.0, "1d")}, {"red": (5.0, "1w")},
        [("d-1", "gpt", "openai/gpt-4o", 3.0, "1d"), ("d-2", "gpt", "groq/llama")]) + """
budgetd:
  budgets:
    - {tag: "user:*", limit: 6, window: day, mode: shadow}
""")
    address = "%s:%d" % server.rpc
    found = json.loads(ctl(server, "check-config", path, "--against", address, "--output", "json"))
    against = found["against"]
    changes = {(row["name"], row["time_period"]): row for row in against["changes"]}
    assert {key: row["change"] for key, row in changes.items()} == {
        ("openai", "1d"): "renamed", ("openai", "month"): "dropped", ("azure", "1d"): "dropped",
        ("mistral", "1d"): "added", ("d-1", "1d"): "changed", ("user:*", "day"): "changed"}
    openai = changes["openai", "1d"]
    # The file's limits are compared, not what an operator has made of them.
    assert (openai["new_time_period"], openai["spend_usd"], openai["denies"]) == ("24h", 0.5, True)
    assert (openai["before"]["limit_usd"], openai["after"]["limit_usd"]) == (1, 0.25)
    assert changes["azure", "1d"]["before"]["limit_usd"] == 5
    assert changes["user:*", "day"]["names"] == 1
    assert changes["user:*", "day"]["after"] == {"limit_usd": 6, "mode": "shadow"}
    assert {(row["name"], row["holds"]) for row in against["overrides"]} == {
        ("openai", False), ("azure", False), ("groq", True)}
    text = ctl(server, "check-config", path, "--against", address)
    assert "then per 24h; denies at once" in text and "has no budget any more" in text, text
    # The same file changes nothing.
    assert "would change no budget" in ctl(server, "check-config", server.config, "--against", address)
    ctl(server, "check-config", path, "--against", "127.0.0.1:1", code=69)


def test_a_reload_is_told_with_zones_and_with_what_operators_hold(start, ctl, tmp_path):
    def text(zone, limit):
        return config_text({"x": (100.0, "1d")}) + """
budgetd:
  budgets:
    - {tag: red, limit: %s, window: day, time_zone: %s}
""" % (limit, zone)

    def against(zone, limit):
        path = tmp_path / "next.yaml"
        path.write_text(text(zone, limit))
        command = ("check-config", path, "--against", "%s:%d" % server.rpc)
        return (json.loads(ctl(server, *command, "--output", "json"))["against"]["changes"],
                ctl(server, *command))

    server = start(text("Europe/Berlin", 10))
    server.record("x", 3.0, tags=["red"])
    ((row,), shown) = against("America/New_York", 10)
    assert row["change"] == "changed" and row["new_calendar"] == "in America/New_York"
    assert "windows from the next one on in America/New_York" in shown and not row["denies"]
    ((row,), shown) = against("Europe/Berlin", 1)
    assert row["denies"] and row["new_calendar"] is None and "denies at once" in shown
    # An operator's limit that would hold is the one that counts; so is a freeze.
    ctl(server, "set", "tag", "red", "--limit", "50")
    ((row,), shown) = against("Europe/Berlin", 1)
    assert not row["denies"] and "denies at once" not in shown
    ctl(server, "freeze", "tag", "red")
    ((row,), _) = against("Europe/Berlin", 1)
    assert row["denies"]
