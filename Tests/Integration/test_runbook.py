"""Every command of budgetctl that deploy/RUNBOOK.md names is typed, against a real node."""

import re
import shlex

from conftest import ROOT, config_text, run

RUNBOOK = (ROOT / "deploy" / "RUNBOOK.md").read_text()
COMMANDS = sorted(set(
    " ".join(text.split()) for text in re.findall(r"`(budgetctl [^`]*)`", RUNBOOK)))
CONFIG = config_text({"openai": (50.0, "1d")}, {"team": (5.0, "1d")},
                     [("d-1", "gpt", "openai/gpt-4o", 2.0, "1d")])
# The words that stand for one's own, and what is typed in their place.
WORDS = {
    "NAME": "openai", "TAG": "team", "ID": "d-1", "WHY": "runbook", "USD": "0.25",
    "THE_SAME_KEY": "a-key", "NEW_KEY": "another-key"}


def typed(command, server, tmp_path):
    access = tmp_path / "access.yaml"
    access.write_text("clients: [{name: ops, role: admin, users: [1000]}]\n")
    access.chmod(0o600)
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    words = dict(WORDS, FILE=str(access), **{"config.yaml": str(config)})
    address = "%s:%d" % server.rpc
    words["127.0.0.1:7077"] = address
    found = [re.sub(r"[A-Z_]{2,}|^config\.yaml$|^127\.0\.0\.1:7077$",
                    lambda match: words.get(match[0], match[0]), word)
             for word in shlex.split(command)[1:]]
    return ["--server", address, *found]


def test_every_change_is_in_the_runbook():
    """What an operator needs at three in the morning is named somewhere."""
    verbs = {command.split()[1] for command in COMMANDS}
    assert verbs >= {"raise", "freeze", "shadow", "enforce", "clear", "reset", "changes", "reload",
                     "check-config", "history", "budgets", "explain", "backup"}, verbs


def test_every_command_can_be_typed(start, budgetctl, tmp_path):
    server = start(CONFIG)
    server.record("openai", 0.5, tags=["team"])
    for command in COMMANDS:
        result = run(budgetctl, *typed(command, server, tmp_path))
        assert result.returncode == 0, (command, result)
