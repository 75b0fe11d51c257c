"""Whoever supervises the process: signs of life, readiness, drains, logs for programs."""

import http.client
import json
import os
import signal
import socket
import time

import pytest

from conftest import eventually, run
from faults import SYNCS, inject
from http_client import http_address

CONFIG = """
router_settings:
  provider_budget_config:
    openai: {budget_limit: 10, time_period: 1d}
"""


class Supervisor:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.path = path if isinstance(path, str) else "@" + path[1:].decode()
        self.said = []

    def hear(self):
        """What was said so far, a message an entry."""
        self.socket.setblocking(False)
        try:
            while True:
                self.said.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return self.said

    def close(self):
        self.socket.close()


@pytest.fixture(params=["path", "abstract"])
def supervisor(request, tmp_path):
    one = Supervisor(
        str(tmp_path / "notify") if request.param == "path"
        else b"\0budgetd-test-%d" % os.getpid())
    yield one
    one.close()


def test_ready_reloading_and_stopping_are_told(start, supervisor):
    server = start(CONFIG, environment={"NOTIFY_SOCKET": supervisor.path})
    eventually(lambda: any("READY=1" in text for text in supervisor.hear()), what="ready")
    assert not any("WATCHDOG" in text for text in supervisor.hear()), "nobody asked for it"
    server.process.send_signal(signal.SIGHUP)
    eventually(lambda: len(supervisor.hear()) >= 3, what="the reload")
    assert "RELOADING=1" in supervisor.said[1] and "MONOTONIC_USEC=" in supervisor.said[1]
    assert "READY=1" in supervisor.said[2]
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(15) == 0
    assert "STOPPING=1" in supervisor.hear()[-1]


def test_signs_of_life_end_where_the_disk_hangs(start, tmp_path, supervisor):
    """The ledger's thread waits for the disk: the process answers pings, and is of no use."""
    server = start(CONFIG, environment={
        "NOTIFY_SOCKET": supervisor.path, "WATCHDOG_USEC": "200000"})

    def beats():
        return sum(text == "WATCHDOG=1" for text in supervisor.hear())

    eventually(lambda: beats() >= 3, what="signs of life")
    with inject(server, tmp_path / "strace.txt", SYNCS, "delay_enter=1500000") as trace:
        with server.client() as client:
            client.send(record_spend=dict(provider="openai", cost_usd=1))
            eventually(lambda: "fdatasync" in trace.text() or "fsync" in trace.text(),
                       what="the disk hangs")
            assert server.call(ping={}).status.code == 0
            supervisor.hear()
            seen = beats()
            time.sleep(0.6)  # Not a hope: six times the interval, in which a living one would beat.
            assert beats() - seen <= 1
            assert client.receive().status.code == 0
        eventually(lambda: beats() >= seen + 2, what="signs of life again")


def test_signs_of_life_end_where_the_process_is_stopped(start, supervisor):
    """A stopped process gives none; one that goes on gives them again."""
    server = start(CONFIG, environment={
        "NOTIFY_SOCKET": supervisor.path, "WATCHDOG_USEC": "200000"})

    def beats():
        return sum(text == "WATCHDOG=1" for text in supervisor.hear())

    eventually(lambda: beats() >= 5, what="signs of life")
    with server.client() as client:
        for _ in range(200):
            client.call(record_spend=dict(provider="openai", cost_usd=0.001))
    before = beats()
    eventually(lambda: beats() >= before + 3, what="signs of life under load")
    os.kill(server.pid, signal.SIGSTOP)
    supervisor.hear()
    seen = beats()
    try:
        time.sleep(0.6)  # Not a hope: six times the interval, in which a living one would beat.
        assert beats() - seen <= 1
    finally:
        os.kill(server.pid, signal.SIGCONT)
    eventually(lambda: beats() > seen + 2, what="signs of life again")


def test_another_process_watchdog_is_not_ours(start, supervisor):
    start(CONFIG, environment={
        "NOTIFY_SOCKET": supervisor.path, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"})
    eventually(lambda: supervisor.hear(), what="ready")
    assert not any("WATCHDOG" in text for text in supervisor.hear())


def test_a_drain_delay_goes_on_serving_while_not_ready(start):
    server = start(CONFIG, "--drain-delay", "1.5")

    def readyz():
        connection = http.client.HTTPConnection(*http_address(server), timeout=10)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status
        finally:
            connection.close()

    assert readyz() == 200
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    eventually(lambda: readyz() == 503, what="not ready")
    # New connections are still taken, and answered.
    assert server.call(record_spend=dict(provider="openai", cost_usd=1)).status.code == 0
    assert server.process.wait(15) == 0
    assert time.monotonic() - began >= 1.4


def test_a_log_for_programs(start, budgetd, tmp_path):
    server = start(CONFIG, "--log-format", "json")
    server.process.send_signal(signal.SIGHUP)
    eventually(lambda: "reloaded" in server.log, what="the reload")
    lines = [json.loads(line) for line in server.log.splitlines()]
    assert all({"time", "level", "message"} <= line.keys() for line in lines)
    assert any(line["message"].startswith("reloaded") for line in lines)
    config = tmp_path / "bad.yaml"
    config.write_text("router_settings: [")
    done = run(budgetd, "--config", config, "--listen", "127.0.0.1:0", "--data-dir", tmp_path / "d",
               "--log-format", "json")
    assert done.returncode == 78
    assert all(json.loads(line)["level"] == "critical" for line in done.stderr.splitlines())


@pytest.mark.parametrize("value", ["-1", "4.5", "nan"])
def test_a_delay_that_cannot_be(budgetd, tmp_path, value):
    done = run(budgetd, "--config", "x", f"--drain-delay={value}")
    assert done.returncode == 64 and "give 0 to 4 seconds" in done.stderr
