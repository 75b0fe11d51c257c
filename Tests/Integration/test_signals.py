"""Signals at any time: reloads are one at most, the end comes before them and is exit 0."""

import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from conftest import LONG, OK, code_of, config_text, eventually

CONFIG = config_text({"openai": (10.0, "1d")})


def tags(count):
    """The text of a config with so many tags; as people write it, which yaml.dump takes long for."""
    lines = [f"    t-{n}: {{max_budget: 5, budget_duration: 1d}}" for n in range(count)]
    return CONFIG + "litellm_settings:\n  tag_budget_config:\n" + "\n".join(lines) + "\n"


LARGE = tags(300_000)


def ends_well(process, within=10):
    """Exit 0 in time."""
    began = time.monotonic()
    assert process.wait(within) == 0
    return time.monotonic() - began


def reload_begins(server):
    """Sends SIGHUP and waits until the file is being read."""
    before = server.cpu_seconds()
    server.process.send_signal(signal.SIGHUP)
    eventually(lambda: server.cpu_seconds() > before + 0.2, LONG, "the reload works")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_comes_before_reloads(start, number):
    server = start(CONFIG)
    server.config.write_text(LARGE)
    with server.client() as client:
        assert code_of(client.call(record_spend=dict(provider="openai", cost_usd=1))) == OK
        reload_begins(server)
        for _ in range(8):
            server.process.send_signal(signal.SIGHUP)
            time.sleep(0.02)  # so that the kernel does not merge them
        last = client.send(record_spend=dict(provider="openai", cost_usd=1))
        assert client.receive().call_id == last
        server.process.send_signal(number)
        ends_well(server.process)
    assert "reloaded" not in server.log
    assert server.log.splitlines()[-1].find("drained") > 0


def test_signals_while_it_drains_change_nothing(start):
    server = start(CONFIG)
    server.process.send_signal(signal.SIGTERM)
    while server.process.poll() is None:
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.001)
    assert server.process.returncode == 0


def test_many_signals_are_two_reloads(start):
    """One that runs and one more, since the file may have changed meanwhile."""
    server = start(CONFIG)
    server.config.write_text(tags(30_000))
    reload_begins(server)
    for _ in range(20):
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.005)
    eventually(lambda: server.log.count("reloaded") >= 2, 2 * LONG, "both reloads")
    server.reload(CONFIG)
    eventually(lambda: "1 provider, 0 deployment and 0 tag" in server.log.rsplit("reloaded")[-1],
               2 * LONG, "the last reload")
    assert server.log.count("reloaded") <= 4


def signal_mask(pid, name):
    """Which signals a process ignores (SigIgn) or catches (SigCgt)."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{name}:\s+(\w+)$", text, re.MULTILINE)[1], 16)


def hears(pid, number):
    return (signal_mask(pid, "SigIgn") | signal_mask(pid, "SigCgt")) >> (number - 1) & 1


@pytest.fixture
def starting(budgetd, tmp_path):
    """Starts budgetd with a config that takes long, and does not wait for it."""
    processes = []
    def begin(number, config=LARGE):
        (tmp_path / "config.yaml").write_text(config)
        output = open(tmp_path / "out", "wb")
        log = open(tmp_path / "err", "wb")
        process = subprocess.Popen(
            [budgetd, "--config", tmp_path / "config.yaml", "--data-dir", tmp_path / "data",
             "--listen", "127.0.0.1:0", "--http", "off"],
            stdin=subprocess.DEVNULL, stdout=output, stderr=log)
        processes.append(process)
        # Before the program itself runs nobody can hear for it.
        eventually(lambda: hears(process.pid, number), LONG, "signals are heard")
        return process

    yield begin, tmp_path
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.mark.parametrize("delay", [0, 0.05, 0.5])
def test_an_end_before_it_is_ready(starting, delay):
    begin, folder = starting
    process = begin(signal.SIGTERM)
    time.sleep(delay)
    process.send_signal(signal.SIGTERM)
    ends_well(process)
    assert (folder / "out").read_text() == ""
    assert "before it was ready" in (folder / "err").read_text()


def test_reloads_before_it_is_ready_do_not_end_it(starting):
    begin, folder = starting
    process = begin(signal.SIGHUP, tags(10_000))
    for _ in range(100):
        process.send_signal(signal.SIGHUP)
        time.sleep(0.002)
    eventually(lambda: "budgetd ready" in (folder / "out").read_text(), 4 * LONG, "ready")
    process.send_signal(signal.SIGTERM)
    ends_well(process)


def test_signals_of_all_kinds_under_load(start):
    server = start(CONFIG)
    stop = threading.Event()

    def hang_up():
        while not stop.is_set():
            server.process.send_signal(signal.SIGHUP)  # nothing, once it has ended
            time.sleep(0.001)

    thread = threading.Thread(target=hang_up)
    thread.start()
    try:
        with server.client() as client:
            for _ in range(300):
                assert code_of(client.call(record_spend=dict(provider="openai", cost_usd=1))) == OK
        assert server.spend("openai") == 300
        server.process.send_signal(signal.SIGTERM)
        ends_well(server.process)
    finally:
        stop.set()
        thread.join()
