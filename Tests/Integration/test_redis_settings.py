"""Which Redis it is: what budgetd refuses to start with, and what budgetctl check-config shows."""

import json
import os
import re
import subprocess

import pytest

from conftest import config_text, run, running

BUDGETS = config_text({"openai": (10.0, "1d")})
SECRET = "s3cr3t-pw"


def router(*lines):
    """The budgets, and more lines under router_settings."""
    return BUDGETS + "".join(f"  {line}\n" for line in lines)


@pytest.fixture
def environment():
    """The process's environment without any Redis in it."""
    return {k: v for k, v in os.environ.items() if not re.match("(BUDGETD_|REDIS_)", k)}


@pytest.fixture
def start(budgetd, tmp_path, environment):
    """Runs budgetd on a config until it ends; returns (exit code, standard error)."""
    def start(config, *arguments, **variables):
        path = tmp_path / "config.yaml"
        path.write_text(config)
        result = subprocess.run(
            [budgetd, "--config", path, "--listen", "127.0.0.1:0", "--data-dir", tmp_path / "data",
             *arguments],
            env=environment | variables, capture_output=True, text=True, timeout=30)
        assert SECRET not in result.stdout + result.stderr
        assert "Fatal" not in result.stderr
        return result.returncode, result.stderr
    return start


@pytest.fixture
def check(budgetctl, tmp_path, environment):
    def check(config, *arguments, code=0, **variables):
        path = tmp_path / "config.yaml"
        path.write_text(config)
        result = subprocess.run([budgetctl, "check-config", path, *arguments],
                                env=environment | variables, capture_output=True, text=True)
        assert result.returncode == code, result
        assert SECRET not in result.stdout + result.stderr
        return result.stdout + result.stderr
    return check


REFUSED = {
    "tls": (router("redis_host: h", "redis_port: 1", "cache_kwargs: {ssl: true, ssl_ciphers: x}"),
            {}, "router_settings.cache_kwargs.ssl_ciphers", "OpenSSL's choice"),
    "rediss": (router(f"redis_url: rediss://u:{SECRET}@h:1?ssl_cert_reqs=maybe"), {},
               "router_settings.redis_url", "none, optional or required"),
    "cluster": (router("redis_host: h", "redis_port: 1",
                       "cache_kwargs: {startup_nodes: [{host: a}]}"), {},
                "router_settings.cache_kwargs.startup_nodes", "a host and a port"),
    "unset": (router("redis_host: h", "redis_port: os.environ/NOT_THERE"), {},
              "router_settings.redis_port", "NOT_THERE is not set"),
    "environment": (BUDGETS, {"REDIS_URL": f"http://:{SECRET}@h"}, "REDIS_URL", "rediss://"),
    "sentinel": (BUDGETS, {"REDIS_SENTINEL_NODES": '[["a", 1]]'}, "REDIS_SENTINEL_NODES",
                 "without service_name"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused_with_a_way_out(start, check, name):
    config, variables, key, words = REFUSED[name]
    code, text = start(config, **variables)
    assert code == 78 and len(text.splitlines()) == 1, text
    assert re.search(rf"config\.yaml:\d+: {re.escape(key)}: ", text), text
    assert words in text and "--redis off" in text
    assert key in check(config, code=78, **variables)
    # The way out that the message names.
    assert "Redis: none" in check(config, "--redis", "off", **variables)


def test_off_is_the_way_out(budgetd, tmp_path):
    config, _, _, _ = REFUSED["tls"]
    with running(budgetd, tmp_path, config, "--redis", "off") as server:
        assert "Redis" not in server.log


def test_problems_of_budgets_and_of_redis_are_told_together(start):
    code, text = start(
        router("redis_host: h", "redis_port: 70000").replace("10.0", "-1"))
    assert code == 78
    assert "budget_limit" in text and "redis_port" in text


@pytest.mark.parametrize("value, words", [
    ("rediss://h?ssl_cert_reqs=none", "--redis-verify"), ("http://h", "redis://"), ("unix:relative", "slash"),
    ("redis://h:99999", "65535"), ("redis://h/x", "database"),
    (f"redis://u:{SECRET}@h", "BUDGETD_REDIS_PASSWORD"),
    (f"redis://h?password={SECRET}", "--redis-password-file"), ("cluster://h/1", "database 0"),
    (f"cluster://u:{SECRET}@h", "--redis-password-file"), ("sentinel://h", "service")])
def test_a_strange_redis_option_is_usage(start, value, words):
    code, text = start(BUDGETS, "--redis", value)
    assert code == 64 and words in text and len(text.splitlines()) == 1, text
    code, text = start(BUDGETS, BUDGETD_REDIS=value)
    assert code == 64 and words in text


@pytest.mark.parametrize("mode, content, words", [
    (0o644, SECRET, "chmod 600"), (0o602, SECRET, "chmod 600"), (0o600, "", "empty"),
    (0o600, f"{SECRET}\nmore", "one line"), (0o600, "x" * 5000, "4096"), (0o600, b"\xff", "UTF-8")])
def test_a_password_file_that_cannot_be_meant(start, tmp_path, mode, content, words):
    path = tmp_path / "password"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    code, text = start(BUDGETS, "--redis", "redis://h", "--redis-password-file", str(path))
    assert code == 64 and words in text and str(path) in text, text


def test_a_password_file_that_is_none(start, tmp_path):
    for path in (tmp_path / "nowhere", tmp_path):
        code, text = start(BUDGETS, "--redis-password-file", str(path))
        assert code == 64 and str(path) in text, text
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    code, text = start(BUDGETS, "--redis-password-file", str(fifo))
    assert code == 64 and "not a file" in text, text


def test_names_without_a_clear_slot_are_refused_only_with_redis(start, budgetd, tmp_path):
    config = config_text({"openai": (10.0, "1d")}, {"a{}b": (1.0, "1d"), "{team}": (1.0, "1d")})
    code, text = start(config, "--redis", "redis://127.0.0.1:1")
    assert code == 78 and "tag a{}b" in text and "{team} per" not in text and "--redis off" in text
    with running(budgetd, tmp_path / "off", config, "--redis", "off"):
        pass


def test_the_redis_is_named_in_the_log(budgetd, tmp_path):
    password = tmp_path / "password"
    password.write_text(SECRET + "\n")
    password.chmod(0o600)
    (tmp_path / "link").symlink_to(password)
    with running(budgetd, tmp_path, BUDGETS, "--redis", "redis://u@127.0.0.1:1/2",
                 "--redis-password-file", str(tmp_path / "link")) as server:
        assert "127.0.0.1:1, database 2, user u, with a password" in server.log
        assert "from --redis" in server.log
        assert SECRET not in server.log
        assert SECRET not in open(f"/proc/{server.pid}/cmdline").read()


def test_check_config_shows_which_redis_and_from_where(check):
    assert "Redis: none" in check(BUDGETS)
    text = check(BUDGETS, REDIS_HOST="cache", REDIS_PASSWORD=SECRET, REDIS_DB="3")
    assert "Redis: cache:6379, database 3, with a password, from the environment's REDIS_HOST" in text
    config = router("redis_host: os.environ/H", "redis_port: '7'",
                    f"redis_password: {SECRET}", "cache_kwargs: {namespace: ns, username: u}")
    text = check(config, H="h", REDIS_URL="redis://elsewhere")
    assert ("Redis: h:7, user u, with a password, namespace ns, from router_settings.redis_host"
            in text)
    document = json.loads(check(config, "--output", "json", H="h"))
    assert document["redis"] == {
        "address": "h:7", "database": 0, "verification": None, "username": "u", "has_password": True, "namespace": "ns",
        "origin": "router_settings.redis_host"}
    # The namespace is in every key, so it stays LiteLLM's.
    text = check(config, "--redis", "unix:/run/redis.sock", H="h")
    assert "Redis: unix:/run/redis.sock, namespace ns, from --redis" in text
    assert "BUDGETD_REDIS_PASSWORD" in check(
        config, "--redis", f"redis://:{SECRET}@h", code=64, H="h")


def test_help_names_both_options(budgetd):
    text = run(budgetd, "--help").stdout
    assert "--redis-password-file" in text and "BUDGETD_REDIS_PASSWORD" in text
