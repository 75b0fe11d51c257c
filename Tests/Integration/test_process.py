"""The process: command line, ready line, exit codes, signals, what it says to people."""

import os
import re
import select
import signal
import socket
import threading
import time

import pytest

from budget_client import pb
from conftest import OK, code_of, config_text, eventually, name_of, run, unharmed
from wire_bytes import frame, ping, varint

CONFIG = config_text({"openai": (10.0, "1d")}, {"red": (5.0, "1d")})
# Line numbers matter here.
BAD = """\
router_settings:
  provider_budget_config:
    openai:
      budget_limit: 10
      time_period: 1d12h
    azure:
      budget_limit: ten dollars
      time_period: 1d
    anthropic:
      budget_limit: 10
    mistral: {budget_limit: -1, time_period: 1d}
litellm_settings:
  tag_budget_config:
    red: {max_budget: 1, budget_duration: 0d}
model_list:
- model_name: g
  litellm_params: {model: openai/gpt-4o, max_budget: 1}
  model_info: {id: d-1}
"""
BAD_LINES = {"openai": (3, 5), "azure": (6, 8), "anthropic": (9, 10), "mistral": (11, 11),
             "red": (14, 14), "d-1": (16, 18)}


def readable(text):
    """Printable lines of a sane length, no escape codes."""
    for line in text.splitlines():
        assert len(line) < 1000 and all(c.isprintable() or c == "\t" for c in line), repr(line)
    return text


@pytest.fixture
def refuse(budgetd, tmp_path):
    """Runs budgetd with arguments that it must not start with."""
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)

    def refuse(*arguments, code, lines=1, config=config, base=True, environment=None):
        command = [budgetd]
        if base:
            command += ["--config", config, "--data-dir", tmp_path / "data"]
            given = [str(a).split("=")[0] for a in arguments]
            for option in ("--listen", "--http"):
                command += [] if option in given else [option, "127.0.0.1:0"]
        result = run(*command, *arguments, env={**os.environ, **(environment or {})})
        assert result.returncode == code, result
        assert "budgetd ready" not in result.stdout
        assert readable(result.stderr).strip(), "not a word on standard error"
        assert "Fatal error" not in result.stderr and "Stack dump" not in result.stderr
        return result.stderr

    return refuse


def test_ready_line(start):
    server = start(CONFIG)
    assert server.rpc[0] == "127.0.0.1" and server.rpc[1] > 0
    assert server.ready_line["rpc"] != server.ready_line["http"]
    assert code_of(server.call(ping={})) == OK
    assert len(server.output_path.read_text().splitlines()) == 1
    readable(server.log)


def test_node_id(start):
    assert start(CONFIG, "--node-id", "node-7").call(ping={}).ping.node_id == "node-7"


def test_help(budgetd):
    result = run(budgetd, "--help")
    assert result.returncode == 0
    for option in ("--config", "--listen", "--http", "--data-dir", "--durability", "--redis",
                   "--redis-password-file", "--node-id", "--provider-map", "--insecure-network",
                   "--log-level"):
        assert option in result.stdout, option
    assert max(map(len, result.stdout.splitlines())) <= 120


@pytest.mark.parametrize("arguments", [
    ["--listen", "0.0.0.0:0"], ["--http", "0.0.0.0:0"], ["--listen", "[::]:0"],
    ["--listen=0.0.0.0:0", "--http=0.0.0.0:0"]], ids=" ".join)
def test_other_machines_only_with_insecure_network(refuse, arguments):
    assert "--insecure-network" in refuse(*arguments, code=64)


def test_insecure_network_is_one_warning(start):
    server = start(CONFIG, "--insecure-network", listen="0.0.0.0:0")
    server.rpc = ("127.0.0.1", server.rpc[1])
    assert code_of(server.call(ping={})) == OK
    eventually(lambda: re.search("insecure|authenticat", server.log), what="a warning")


@pytest.mark.parametrize("arguments", [
    ["--no-such-option"], ["--durability", "perhaps"], ["--listen", "nonsense"],
    ["--listen", "127.0.0.1:70000"], ["--listen", "127.0.0.1"], ["--http", "127.0.0.1:-1"],
    ["stray"], ["--log-level", "loud"], ["--redis", "http://localhost"]], ids=" ".join)
def test_usage(refuse, arguments):
    refuse(*arguments, code=64)


def test_no_config_is_usage(refuse):
    assert "--config" in refuse(code=64, base=False)


@pytest.mark.parametrize("url", [
    "redis://:s3cr3t@127.0.0.1:1", "redis://user:s3cr3t@127.0.0.1:1/0"])
def test_a_password_on_the_command_line_is_refused_and_not_repeated(refuse, url):
    text = refuse("--redis", url, code=64)
    assert "s3cr3t" not in text
    assert "BUDGETD_REDIS_PASSWORD" in text or "--redis-password-file" in text


def test_bad_config_shows_all_problems_with_their_lines(refuse, tmp_path):
    (tmp_path / "config.yaml").write_text(BAD)
    text = refuse(code=78)
    found = sorted(int(n) for n in re.findall(r"config\.yaml:(\d+)", text))
    for name, (first, last) in BAD_LINES.items():
        assert any(first <= line <= last for line in found), f"nothing about {name}: {text}"
    assert len(found) == len(BAD_LINES), text


@pytest.mark.parametrize("text", [
    "router_settings: [unclosed", "\tx: 1", "- a\n- b\n", "just text", "a: &x [*x]",
    "router_settings:\n  provider_budget_config:\n    openai: null\n",
    "router_settings:\n  provider_budget_config:\n    openai: 5\n",
    "router_settings:\n  provider_budget_config:\n"
    "    openai: {budget_limit: .nan, time_period: 1d}\n",
    "router_settings:\n  provider_budget_config:\n"
    "    openai: {budget_limit: .inf, time_period: 1d}\n",
    "router_settings:\n  provider_budget_config:\n"
    "    openai: {budget_limit: 1, time_period: 1 d}\n",
    "router_settings:\n  provider_budget_config:\n"
    "    openai: {budget_limit: 1, time_period: 1d}\n"
    "    openai: {budget_limit: 2, time_period: 1d}\n",
], ids=["syntax", "tab", "list", "text", "alias of itself", "null entry", "number for an entry",
        "nan", "inf", "window with a blank", "a name twice"])
def test_bad_configs(refuse, tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    assert re.search(r"config\.yaml:\d+", refuse(code=78))


def test_config_that_is_not_there(refuse, tmp_path):
    missing = tmp_path / "nowhere.yaml"
    assert "nowhere.yaml" in refuse("--config", missing, code=78, base=False)


def test_port_taken(refuse):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert str(port) in refuse("--listen", f"127.0.0.1:{port}", code=69)


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_stops_within_ten_seconds_with_idle_and_half_open_connections(start, signal_number):
    server = start(CONFIG)
    clients = [server.client() for _ in range(20)]
    for client in clients[:10]:
        client.call(ping={})
    clients[-1].socket.sendall(frame(ping(1))[:7])
    server.process.send_signal(signal_number)
    assert server.process.wait(10) == 0, server.log
    for client in clients:
        client.close()
    readable(server.log)


def test_stop_under_load(start):
    """Each request gets its one reply, or the connection ends; never a wrong or a second one."""
    server = start(CONFIG)
    outcomes, problems = [], []

    def load(client):
        answered, sent = 0, set()
        try:
            while True:
                sent |= {client.send(record_spend=dict(provider="openai", cost_usd=0.001))
                         for _ in range(50)}
                for _ in range(50):
                    response = client.receive()
                    if response.call_id == 0 and name_of(response) == "UNAVAILABLE":
                        continue  # the farewell: what has no reply is not applied; then the end
                    sent.remove(response.call_id)  # KeyError: never asked, or answered before
                    if name_of(response) not in ("OK", "UNAVAILABLE"):
                        problems.append(str(response))
                    answered += name_of(response) == "OK"
        except (EOFError, ConnectionError):
            outcomes.append((answered, len(sent)))  # the connection ended
        except Exception as error:
            problems.append(repr(error))
        finally:
            client.close()

    threads = [threading.Thread(target=load, args=(server.client(),), daemon=True)
               for _ in range(8)]
    for thread in threads:
        thread.start()
    eventually(lambda: server.spend("openai") > 1)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 10
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert not problems, problems[:3]
    assert len(outcomes) == 8 and sum(answered for answered, _ in outcomes) >= 1000


def test_replies_that_are_under_way_go_out_before_the_end(start):
    """10,000 requests are sent; SIGTERM comes as the first is answered. What was answered is a
    whole number of frames, in which each call_id stands once."""
    server = start(CONFIG)
    with server.client() as client:
        data = b"".join(frame(ping(i)) for i in range(1, 10_001))
        problems = []

        def send():
            try:
                client.socket.sendall(data)
            except ConnectionError as error:
                problems.append(error)  # the end of the connection

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        seen = [client.receive()]
        server.process.send_signal(signal.SIGTERM)
        while client.reader.peek(1):
            seen.append(client.receive())
        sender.join(10)
    assert server.process.wait(10) == 0
    if seen[-1].call_id == 0:  # a word of farewell to what was not answered
        assert name_of(seen.pop()) == "UNAVAILABLE"
    ids = [response.call_id for response in seen]
    assert {code_of(response) for response in seen} == {OK}
    assert len(ids) == len(set(ids)) and set(ids) <= set(range(1, 10_001)), seen[-1]


def test_stops_within_ten_seconds_with_a_reader_that_has_stopped(start):
    server = start(config_text({f"{'p' * 240}-{i}": (1.0, "1d") for i in range(1000)}))
    with server.client() as client:
        client.socket.settimeout(None)
        ask = pb.Request(get_provider_budgets={}).SerializeToString()
        data = b"".join(frame(b"\x08" + varint(i) + ask) for i in range(1, 2000))
        gone = []

        def send():
            try:
                client.socket.sendall(data)
            except ConnectionError as error:
                gone.append(error)  # the end of the connection

        sender = threading.Thread(target=send, daemon=True)
        before = server.rss_kib()
        sender.start()
        eventually(lambda: server.rss_kib() > before + 4096, what="answers that pile up")
        server.stop()
        sender.join(10)
        assert not sender.is_alive()


@pytest.mark.alone
def test_a_second_signal_ends_it_at_once(start):
    """While the first one drains, here for seconds because a peer reads no answers."""
    server = start(config_text({f"{'p' * 240}-{i}": (1.0, "1d") for i in range(1000)}))
    with server.client() as client:
        ask = pb.Request(get_provider_budgets={}).SerializeToString()
        data = b"".join(frame(b"\x08" + varint(i) + ask) for i in range(1, 200))
        before = server.rss_kib()
        client.socket.sendall(data)
        eventually(lambda: server.rss_kib() > before + 4096, what="answers that pile up")
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: "drain" in server.log, what="the drain in the log")
        assert server.process.poll() is None, "nothing was left to drain: no test"
        server.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        server.process.wait(5)
        assert time.monotonic() - began < 1


def test_second_start_at_once_on_the_same_port_and_directory(start, tmp_path):
    server = start(CONFIG, directory=tmp_path / "same")
    host, port = server.rpc
    clients = [server.client() for _ in range(5)]
    for client in clients:
        client.call(ping={})
    server.stop()  # with connections open: the server's side ends in TIME_WAIT
    again = start(CONFIG, directory=tmp_path / "same", listen=f"{host}:{port}")
    assert again.rpc == (host, port)
    assert code_of(again.call(ping={})) == OK
    for client in clients:
        client.close()


def test_reload(start):
    server = start(CONFIG)
    server.record("openai", 4.0, tags=["red"])
    before = server.budgets()
    with server.client() as client:
        client.call(ping={})
        server.reload(config_text({"azure": (3.0, "1h"), "openai": (2.0, "1d")}))
        eventually(lambda: "azure" in server.budgets()["providers"], what="the reload")
        after = server.budgets()
        openai = after["providers"]["openai"]
        assert (openai.limit_usd, openai.spend_usd, openai.remaining_usd) == (2.0, 4.0, -2.0)
        assert openai.exhausted
        assert openai.resets_at_unix_ms == before["providers"]["openai"].resets_at_unix_ms
        assert after["providers"]["azure"].HasField("resets_at_unix_ms")
        assert not after["tags"]
        assert name_of(client.call(filter_deployments=dict(
            deployments=[dict(id="x", provider="openai")]))) == "RESOURCE_EXHAUSTED"
        server.reload(CONFIG)  # what was dropped comes back with what it had spent
        eventually(lambda: "azure" not in server.budgets()["providers"])
        assert server.spend("openai") == 4.0 and server.spend("red", "tags") == 4.0


def test_window_text_of_the_same_length_keeps_the_spend(start):
    server = start(CONFIG)
    server.record("openai", 4.0)
    before = server.budgets()["providers"]["openai"]
    server.reload(config_text({"openai": (10.0, "24h")}))
    eventually(lambda: server.budgets()["providers"]["openai"].time_period == "24h")
    after = server.budgets()["providers"]["openai"]
    assert (after.spend_usd, after.resets_at_unix_ms) == (4.0, before.resets_at_unix_ms)
    server.reload(config_text({"openai": (10.0, "2d")}))  # another length: a new window
    eventually(lambda: server.budgets()["providers"]["openai"].time_period == "2d")
    assert server.spend("openai") == 0.0
    assert "4" in server.log and "24h" in server.log


def test_bad_reload_keeps_what_is_in_force_and_says_why(start):
    server = start(CONFIG)
    server.record("openai", 4.0)
    before = server.budgets()
    length = len(server.log)
    server.reload(BAD)
    eventually(lambda: len(re.findall(r"config\.yaml:\d+", server.log[length:])) >= len(BAD_LINES),
               what="all problems in the log")
    readable(server.log)
    assert server.budgets() == before
    server.config.unlink()
    length = len(server.log)
    server.process.send_signal(signal.SIGHUP)
    eventually(lambda: "config.yaml" in server.log[length:], what="the missing file in the log")
    assert server.budgets() == before
    server.reload(config_text({"azure": (1.0, "1d")}))
    eventually(lambda: "azure" in server.budgets()["providers"], what="the good reload")


def test_many_reloads_at_once_end_with_the_last_config(start):
    """Signals may merge; the last file wins, and neither memory nor descriptors run away."""
    server = start(CONFIG)
    server.record("openai", 4.0)
    with unharmed(server, 16 * 1024):
        for number in range(300):
            server.reload(config_text({"openai": (10.0 + number, "1d"), "azure": (1.0, "1d")}))
        eventually(lambda: server.budgets()["providers"]["openai"].limit_usd == 309.0)
        assert server.spend("openai") == 4.0


def test_idle_server_uses_no_cpu(start):
    server = start(CONFIG)
    with server.client() as client, server.client() as silent:
        client.call(ping={})
        used = server.cpu_seconds()
        assert not select.select([client.socket, silent.socket], [], [], 2)[0]
        used = server.cpu_seconds() - used
        assert used <= 0.05, f"{used} s of CPU in 2 s"


def test_out_of_descriptors(start):
    """Accepting pauses without a busy loop, those who are connected are served, then it goes on."""
    server = start(CONFIG)
    with unharmed(server, 16 * 1024):
        with server.client() as client:
            client.call(ping={})
            # From now on there are fewer than the process believes.
            limit = server.descriptors() + 8
            run("prlimit", f"--pid={server.pid}", f"--nofile={limit}:{limit}")
            crowd = [server.client() for _ in range(100)]
            eventually(lambda: server.descriptors() >= limit - 2)
            cpu, began = server.cpu_seconds(), time.monotonic()
            while time.monotonic() - began < 2:
                assert code_of(client.call(ping={})) == OK
                assert not select.select([client.socket], [], [], 0.1)[0]
            used = server.cpu_seconds() - cpu
            assert used < 0.2, f"{used} s of CPU in 2 s"
            for one in crowd:
                one.close()
        assert code_of(server.call(ping={})) == OK


def test_garbage_on_the_wire_does_not_reach_the_log_raw(start):
    server = start(CONFIG, "--log-level", "debug")
    with server.client() as client:
        client.call(record_spend=dict(tags=["\x1b[31mred\n\r evil: line"], cost_usd=1))
        client.call(filter_deployments=dict(model_name="\x1b]0;title\x07\n"))
        client.call(filter_deployments=dict(deployments=[dict(model="\x1b[2Jmodel\n")]))
    readable(server.log)
