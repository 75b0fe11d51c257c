"""What real configurations hold (Tests/LiteLLMConfigTests/Cases), and files that are none."""

import json
import os
import shutil
import stat
import subprocess
import threading

import pytest
import yaml

from conftest import ROOT, SHORT, config_text, eventually, run
from fleet import allowed
from redis_servers import redis_service

CASES = ROOT / "Tests" / "LiteLLMConfigTests" / "Cases"
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if not name.startswith(("REDIS_", "BUDGETD_", "OPENAI_", "KAI_", "LITELLM_"))}

# By case: the exit code of check-config, and what it says.
SAID = {
    "01-environment-variables-redis.yaml":
        (0, ["Redis: 127.0.0.1:6379, from environment_variables.REDIS_HOST", "0 warnings"]),
    "03-custom-provider-map.yaml": (0, ["acp/kimi  acp", "0 warnings"]),
    "04-budgeted-deployment-key-from-env.yaml":
        (0, ["waits for its id  $20.00", "OPENAI_API_KEY is not set", "model_info.id"]),
    "05-model-from-unset-env.yaml": (78, [":5: ", "variable KAI_BULK_MODEL is not set"]),
    "06-model-info-max-budget.yaml":
        (0, ["model_info.max_budget: not enforced here", "litellm_params", "budget_duration"]),
    "07-max-budget-without-duration.yaml":
        (78, [":3: ", "max_budget but no budget_duration"]),
    "08-duplicate-section.yaml": (0, [":10: ", "litellm_settings.set_verbose of line 6 is lost"]),
    "09-include/config.yaml": (0, ["root", "gpt-4o-mini", "$5.00", "models/a.yaml", "2 budgets"]),
    "10-redis-host-without-port.yaml": (0, ["Redis: none", "without redis_port"]),
    "12-limit-zero-means-unlimited-to-its-author.yaml":
        (0, ["nothing may be spent; no limit is written null"]),
    "14a-unknown-limit-key.yaml": (78, ["monthly_budget", "did you mean budget_limit"]),
    "14b-unknown-limit-key-follow-the-advice.yaml":
        (78, ["monthly_budget", "did you mean budget_limit"]),
    "15-section-names-misspelt.yaml":
        (0, ["provider_budgets", "provider_budget_config", "tag_budgets", "tag_budget_config",
             "2 warnings"]),
    "16a-helm-values-whole.yaml": (0, ["proxy_config", "values", "yq .proxy_config"]),
    "18-deployments-litellm-drops.yaml":
        (0, ["LiteLLM drops it", "api_version is a date", "LITELLM_ENVIRONMENT is not set",
             "'local-deepseek'"]),
    "19-tab-before-comment.yaml": (78, [":5:23: ", "a tab"]),
    "20-other-budgets.yaml":
        (0, ["general_settings.max_budget: not enforced here",
             "litellm_settings.max_end_user_budget: not enforced here",
             "litellm_settings.max_internal_user_budget: not enforced here",
             "litellm_settings.default_internal_user_params: not enforced here",
             "litellm_settings.upperbound_key_generate_params: not enforced here",
             "litellm_settings.default_team_settings: not enforced here", "6 warnings", "1 budget"]),
    "21-alias-and-wildcard.yaml": (0, ["openai/*", "claude-*", "0 warnings"]),
}


def check(budgetctl, *arguments, **options):
    result = run(budgetctl, "check-config", *arguments, env=ENVIRONMENT, **options)
    assert "Fatal" not in result.stderr
    return result.returncode, result.stdout + result.stderr


def test_all_cases_are_here():
    found = {str(path.relative_to(CASES)) for path in CASES.rglob("*.yaml")}
    assert found - {"09-include/models/a.yaml"} == set(SAID)


@pytest.mark.parametrize("case", SAID)
def test_check_config_says_what_is_right(budgetctl, case):
    code, texts = SAID[case]
    got, said = check(budgetctl, CASES / case)
    assert got == code, said
    for text in texts:
        assert text in said, f"{text!r} is not in:\n{said}"


@pytest.mark.parametrize("case", [case for case, (code, _) in SAID.items() if not code])
def test_budgetd_starts_with_what_check_config_takes(start, budgetctl, case, tmp_path):
    config = (CASES / case).read_text()
    directory = tmp_path / "server"
    if "include:" in config:
        shutil.copytree((CASES / case).parent / "models", directory / "models")
    server = start(config, "--redis", "off", directory=directory)
    _, said = check(budgetctl, CASES / case, "--redis", "off", "--output", "json")
    for warning in json.loads(said)["warnings"]:
        # The files have other paths.
        said = f":{warning['line']}: {warning['key']}: {warning['message'][:60]}"
        assert said in server.log, server.log


@pytest.mark.parametrize("case", [case for case, (code, _) in SAID.items() if code])
def test_budgetd_refuses_what_check_config_refuses(budgetd, case, tmp_path):
    result = run(budgetd, "--config", CASES / case, "--data-dir", tmp_path / "data",
                 "--listen", "127.0.0.1:0", "--http", "off", env=ENVIRONMENT)
    assert result.returncode == 78 and case in result.stderr, result


# What the cases are about, served


def test_the_files_own_redis_is_the_fleets(start):
    with redis_service() as service:
        host, port = service.proxy.address
        config = yaml.safe_load((CASES / "01-environment-variables-redis.yaml").read_text())
        config["environment_variables"] = {"REDIS_HOST": host, "REDIS_PORT": str(port)}
        server = start(yaml.safe_dump(config), environment={"REDIS_HOST": "nowhere.invalid"})
        server.record("anthropic", 2.5)
        eventually(lambda: service.command("GET", "provider_spend:anthropic:1d") == "2.5",
                   what="the spend in the file's own Redis")


def test_a_provider_of_the_files_own_handlers_is_budgeted(start):
    server = start((CASES / "03-custom-provider-map.yaml").read_text())
    candidate = [("x", "acp/kimi")]
    assert allowed(server, candidate) == ["x"]
    server.record(cost=1.0, model="acp/kimi")
    assert server.spend("acp") == 1.0
    assert allowed(server, candidate) == []


def test_a_budget_that_waits_is_charged_nothing(start):
    server = start((CASES / "04-budgeted-deployment-key-from-env.yaml").read_text())
    assert server.budgets()["deployments"] == {}
    assert "1 budget waits for its deployment's id" in server.log
    assert "OPENAI_API_KEY is not set" in server.log


def test_a_reload_reads_the_included_files_again(start, tmp_path):
    directory = tmp_path / "server"
    shutil.copytree(CASES / "09-include" / "models", directory / "models")
    text = (CASES / "09-include" / "config.yaml").read_text()
    server = start(text, directory=directory)
    assert len(server.budgets()["deployments"]) == 1
    more = yaml.safe_load((directory / "models" / "a.yaml").read_text())
    more["model_list"][0]["litellm_params"]["max_budget"] = 7
    (directory / "models" / "a.yaml").write_text(yaml.safe_dump(more, sort_keys=False))
    server.reload(text)
    eventually(lambda: [b.limit_usd for b in server.budgets()["deployments"].values()] == [7.0],
               what="the limit of the included file")
    (directory / "models" / "a.yaml").unlink()
    server.reload(text)
    eventually(lambda: "there is no file" in server.log and "models/a.yaml" in server.log)
    assert [b.limit_usd for b in server.budgets()["deployments"].values()] == [7.0]


# Ids that are computed


def computed(key, limit=5, model="openai/gpt-4o", name="chat"):
    return yaml.safe_dump({"model_list": [
        {"model_name": name, "litellm_params": {
            "model": model, "api_key": key, "max_budget": limit, "budget_duration": "1d"}}]},
        sort_keys=False)


def test_a_reload_says_what_an_id_took_with_it(start):
    server = start(computed("k1"))
    (old,) = server.budgets()["deployments"]
    assert "model_list[0]: the id of this budgeted deployment is computed" in server.log
    server.record(cost=2.5, deployment_id=old)
    server.reload(computed("k2"))
    (new,) = eventually(lambda: [i for i in server.budgets()["deployments"] if i != old])
    lost = eventually(lambda: [line for line in server.log.splitlines() if "stay with the" in line])
    assert len(lost) == 1
    assert all(text in lost[0] for text in (old, new, "$2.5 ", "chat (openai/gpt-4o)", "per 1d"))
    # The same file again, and one whose id goes without having spent: nothing is lost.
    server.reload(computed("k2"))
    server.reload(computed("k3", model="openai/gpt-4o-mini", name="other"))
    eventually(lambda: new not in server.budgets()["deployments"])
    assert server.log.count("stay with the") == 1


def test_a_reload_finds_the_new_id_at_the_old_place(start):
    server = start(computed("k1"))
    (old,) = server.budgets()["deployments"]
    server.record(cost=1.25, deployment_id=old)
    server.reload(config_text(models=[("mine", "chat", "azure/gpt-4o", 5, "1d")]))
    line = eventually(lambda: [x for x in server.log.splitlines() if "stay with the" in x])[0]
    assert old in line and " is now mine: $1.25 " in line


# Files that are none, and pipes


UNREADABLE = {
    "directory": (lambda path: path.mkdir(), "Is a directory"),
    "nowhere": (lambda path: None, "No such file or directory"),
    "below a file": (lambda path: path.parent.write_text("a: 1"), "Not a directory"),
    "empty": (lambda path: path.write_text(""), "is empty"),
    "UTF-16": (lambda path: path.write_text("a: 1\n", encoding="utf-16"), "UTF-16"),
    "Latin-1": (lambda path: path.write_bytes(b"a: \xe9\n"), "not UTF-8"),
    "binary": (lambda path: path.write_bytes(b"\x7fELF\0\0\xff" * 9), "not a text"),
    "loop": (lambda path: path.symlink_to(path), "symbolic links"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_read_says_why(budgetctl, budgetd, tmp_path, kind):
    make, words = UNREADABLE[kind]
    path = tmp_path / "file" / "c.yaml" if kind == "below a file" else tmp_path / "c.yaml"
    make(path)
    code, said = check(budgetctl, path)
    assert code == 78 and words in said and "Cocoa" not in said, said
    result = run(budgetd, "--config", path, "--data-dir", tmp_path / "data", env=ENVIRONMENT)
    assert result.returncode == 78 and words in result.stderr, result
    result = run(budgetctl, "simulate", "--config", path, "-", env=ENVIRONMENT)
    assert result.returncode == 78 and words in result.stderr, result


def test_what_nobody_may_read_says_so(budgetctl, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("model_list: []\n")
    path.chmod(0)
    tmp_path.chmod(stat.S_IRWXU | stat.S_IXGRP | stat.S_IXOTH)
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] \
        if os.geteuid() == 0 else []
    shown = shutil.copy(budgetctl, tmp_path / "budgetctl") if as_nobody else budgetctl
    for parent in [tmp_path, *tmp_path.parents][:3] if as_nobody else []:
        parent.chmod(parent.stat().st_mode | stat.S_IXOTH)
    os.chmod(shown, 0o755)
    result = run(*as_nobody, shown, "check-config", path, env=ENVIRONMENT)
    assert result.returncode == 78 and "Permission denied" in result.stdout, result


def test_an_endless_file_is_read_up_to_a_bound(budgetctl):
    code, said = check(budgetctl, "/dev/zero", timeout=120)
    assert code == 78 and "more than 512 MiB" in said, said


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_check_config_reads_standard_input(budgetctl, tmp_path, name):
    (tmp_path / "more.yaml").write_text(config_text(models=[("d", "more", "openai/x")]))
    text = config_text({"openai": (3.0, "1d")}) + "include: [more.yaml]\n"
    result = subprocess.run([budgetctl, "check-config", name], input=text, text=True, timeout=SHORT,
                            capture_output=True, cwd=tmp_path, env=ENVIRONMENT)
    assert result.returncode == 0, result
    assert "$3.00" in result.stdout and "Included: more.yaml" in result.stdout
    result = subprocess.run([budgetctl, "check-config", name], input="a: [", text=True,
                            timeout=SHORT, capture_output=True, env=ENVIRONMENT)
    assert result.returncode == 78
    assert (":1:" if name != "-" else "standard input:") in result.stdout, result


def through_a_pipe(data, *command):
    """Runs `command /dev/fd/N`, as a shell does for `<(…)`."""
    readable, writable = os.pipe()
    with os.fdopen(writable, "wb") as pipe:
        writer = threading.Thread(target=lambda: (pipe.write(data), pipe.close()))
        writer.start()
        result = subprocess.run([*map(str, command), f"/dev/fd/{readable}"], pass_fds=[readable],
                                capture_output=True, text=True, timeout=SHORT, env=ENVIRONMENT)
        os.close(readable)
        writer.join(SHORT)
    return result


def test_check_config_and_simulate_read_pipes(budgetctl):
    many = {f"p{i}": (1.0, "1d") for i in range(5000)}
    result = through_a_pipe(config_text(many).encode(), budgetctl, "check-config")
    assert result.returncode == 0 and "5000 budgets" in result.stdout, result.stderr
    trace = (ROOT / "Tests" / "Vectors" / "public.jsonl").read_bytes()
    result = through_a_pipe(trace, budgetctl, "simulate", "--check")
    assert result.returncode == 0, result.stderr
    result = subprocess.run([budgetctl, "simulate", "--check", "-"], input=trace,
                            capture_output=True, timeout=SHORT)
    assert result.returncode == 0, result.stderr


def test_budgetd_refuses_a_pipe_at_once(budgetd, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    options = ["--data-dir", tmp_path / "data", "--listen", "127.0.0.1:0", "--config"]
    # Nobody writes to it: to open it would wait for ever.
    result = run(budgetd, *options, fifo, env=ENVIRONMENT)
    assert result.returncode == 78 and "reload" in result.stderr, result
    result = run(budgetd, *options, "-", env=ENVIRONMENT)
    assert result.returncode == 78 and "reload" in result.stderr, result
    result = through_a_pipe(config_text({"openai": (1.0, "1d")}).encode(), budgetd, *options)
    assert result.returncode == 78 and "reload" in result.stderr, result
    config = tmp_path / "c.yaml"
    config.write_text("include: [fifo]\n")
    result = run(budgetd, *options, config, env=ENVIRONMENT)
    assert result.returncode == 78 and "reload" in result.stderr, result
