"""The HTTP port: its pages, its manners, and what a hostile client can take of it."""

import contextlib
import datetime
import http.client
import json
import re
import signal
import socket
import threading
import time

import pytest

from budget_client import pb
from conftest import LONG, OK, SHORT, VECTORS, address, code_of, config_text, eventually, run
from faults import inject
from http_client import ask, connect, http_address, page, promtool_check, read_all, scrape

PROVIDERS = {"openai": (10, "1d"), "azure": (1, "1h")}
TAGS = {"team:a": (5, "1h"), "Team:B": (1000, "30d")}
MODELS = [("d-1", "g", "openai/gpt-4o", 3, "1d")]
GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def server(start):
    return start(config_text(PROVIDERS, TAGS, MODELS))


# --- pages

def test_pages_and_their_headers(server):
    for path, kind in {
        "/": "text/html; charset=utf-8", "/healthz": "text/plain; charset=utf-8",
        "/readyz": "text/plain; charset=utf-8", "/provider/budgets": "application/json",
        "/metrics": "text/plain; version=0.0.4; charset=utf-8",
        "/status.json": "application/json; charset=utf-8",
    }.items():
        status, headers, text = ask(server, path)
        assert status == 200 and headers["Content-Type"] == kind, path
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert int(headers["Content-Length"]) == len(text.encode())
        assert abs(datetime.datetime.now(datetime.UTC)
                   - datetime.datetime.strptime(headers["Date"], "%a, %d %b %Y %H:%M:%S GMT")
                   .replace(tzinfo=datetime.UTC)) < datetime.timedelta(minutes=1)
        status, head, nothing = ask(server, path, "HEAD")
        assert (status, nothing) == (200, "") and int(head["Content-Length"]) > 0
    assert "default-src 'none'" in ask(server, "/")[1]["Content-Security-Policy"]
    assert page(server, "/healthz") == "ok\n"
    assert page(server, "/readyz") == "ready\n"


def test_other_paths_and_methods(server):
    status, _, text = ask(server, "/metrics/")
    assert status == 404
    for path in ("/", "/metrics", "/healthz", "/readyz", "/provider/budgets", "/status.json"):
        assert f"  {path}\n" in text + "\n"
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"):
        status, headers, _ = ask(server, "/metrics", method)
        assert (status, headers["Allow"]) == (405, "GET, HEAD")
    metrics = scrape(server)
    count = {labels: int(value)
             for labels, value in metrics.family("budgetd_http_requests_total").items()}
    assert count[(("path", "_unknown"), ("status", "404"))] == 1
    assert count[(("path", "/metrics"), ("status", "405"))] == 6


def test_status_json_is_what_the_rpcs_say(server):
    server.record("openai", 12.5, deployment_id="d-1", tags=["team:a"])
    server.record("stranger", 1)
    server.call(filter_deployments=dict(
        deployments=[dict(id="d-1", model="openai/gpt-4o")], tags=["team:a"]))
    status = json.loads(page(server, "/status.json"))
    assert [b["name"] for b in status["budgets"]] == ["d-1", "team:a", "openai", "azure", "Team:B"]
    by_scope = server.budgets()
    for budget in status["budgets"]:
        rpc = by_scope[budget["scope"] + "s"][budget["name"]]
        assert budget["window"] == rpc.time_period
        for key in ("limit_usd", "spend_usd", "remaining_usd", "exhausted"):
            assert budget[key] == getattr(rpc, key)
        assert float(budget["spend"]) == budget["spend_usd"]
        assert budget["resets_at_unix_ms"] == (
            rpc.resets_at_unix_ms if rpc.HasField("resets_at_unix_ms") else None)
    counts = {
        scope: (count["budgets"], count["exhausted"])
        for scope, count in status["counts"].items()}
    assert counts == {"provider": (2, 1), "deployment": (1, 1), "tag": (2, 1),
                      "model": (0, 0), "pool": (0, 0), "total": (0, 0)}
    assert status["denials"]["total"] == 3
    assert status["denials"]["in_force"][2]["reason"].startswith(
        "provider openai: $12.50 of $10.00 are spent; every deployment of it is denied until 20")
    assert status["spend"]["recorded"] == "13.5" and status["spend"]["records"] == 2
    assert status["rpc"]["denials"] == {
        "provider": 1, "deployment": 0, "tag": 0, "model": 0, "pool": 0, "total": 0}
    assert status["ready"] and status["redis"] is None and status["fleet"] is None
    assert status["ledger"]["state"] == "ready"


def test_status_json_can_be_asked_for_a_part(start):
    tags = {f"tag-{n:05}": (100, "1d") for n in range(2_000)}
    server = start(config_text(PROVIDERS, tags))
    server.record(cost=50, tags=["tag-00777"])

    def names(query):
        answer = json.loads(page(server, "/status.json" + query))
        return answer["query"], [budget["name"] for budget in answer["budgets"]]

    query, found = names("")
    assert (query["matched"], query["shown"], len(found)) == (2_002, 100, 100)
    assert found[0] == "tag-00777"
    query, found = names("?scope=provider&limit=1")
    assert (query["matched"], found) == (2, ["openai"])
    query, found = names("?q=TAG-0000&limit=5")
    assert (query["matched"], len(found)) == (10, 5)
    assert names("?q=nothing")[1] == []
    assert len(page(server, "/status.json?limit=1000")) < 1_000_000
    for query in ("limit=0", "limit=1001", "scope=team", "q=" + "a" * 257):
        assert ask(server, f"/status.json?{query}")[0] == 400


def test_how_fast_money_goes_is_seen_after_ten_seconds(server):
    began = time.monotonic()
    server.record("openai", 2)

    def openai():
        budgets = json.loads(page(server, "/status.json"))["budgets"]
        return next(b for b in budgets if b["name"] == "openai")

    if time.monotonic() - began < 5:
        assert openai()["rate_usd_per_second"] is None
    budget = eventually(
        lambda: (b := openai())["rate_usd_per_second"] is not None and b, LONG, "a rate")
    assert 10 <= budget["rate_over_seconds"] < 60
    assert budget["rate_usd_per_second"] == pytest.approx(2 / budget["rate_over_seconds"])
    # One record says nothing of what comes.
    assert budget["rate_is_steady"] is False
    assert budget["exhausts_at_unix_ms"] is None and budget["exhausts_before_reset"] is None


# --- LiteLLM's endpoint

RECORDED = json.loads((VECTORS / "provider_budgets.json").read_text())
RESET = re.compile(r'"budget_reset_at":"([^"]*)"')


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda entry: entry["name"])
def test_provider_budgets_are_litellms_bytes(start, recorded):
    server = start(recorded["config"])
    for provider, cost in recorded["spent"].items():
        server.record(provider, cost)
    asked = datetime.datetime.now(datetime.UTC)
    status, headers, body = ask(server, "/provider/budgets")
    assert (status, headers["Content-Type"]) == (recorded["status"], recorded["content_type"])
    # Only the instants differ: they lie as far ahead of the question as LiteLLM's.
    assert RESET.sub("", body) == RESET.sub("", recorded["body"])
    theirs = datetime.datetime.fromisoformat(recorded["asked_at"])
    for ours, litellms in zip(RESET.findall(body), RESET.findall(recorded["body"]), strict=True):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00", ours)
        ahead = datetime.datetime.fromisoformat(ours) - asked
        ahead_there = datetime.datetime.fromisoformat(litellms) - theirs
        # A month from another day may be up to three days longer or shorter.
        month = datetime.timedelta(days=4 if ahead_there.days in range(28, 32) else 0)
        assert abs(ahead - ahead_there) < month + datetime.timedelta(seconds=60)


# --- manners

def test_a_connection_takes_many_requests_one_by_one_or_at_once(server):
    connection = http.client.HTTPConnection(*http_address(server), timeout=LONG)
    for _ in range(50):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
    connection.close()
    with connect(server, GET % b"/healthz" * 20 + b"GET /healthz HTTP/1.0\r\n\r\n") as peer:
        received, _ = read_all(peer)
        assert received.count(b"HTTP/1.1 200 OK\r\n") == 21 and received.count(b"ok\n") == 21
        assert received.count(b"Connection: close") == 1


def test_a_request_in_single_bytes(server):
    with connect(server) as peer:
        for byte in b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
            peer.sendall(bytes([byte]))
        received, in_order = read_all(peer)
        assert in_order and received.endswith(b"\r\n\r\nok\n")


@pytest.mark.parametrize("data, status", [
    (b"nonsense\r\n\r\n", 400), (b"GET / HTTP/3.0\r\n\r\n", 505),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789", 413),
    (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413),
    (b"GET /" + b"a" * 9_000, 414), (b"GET / HTTP/1.1\r\nX: " + b"a" * 9_000, 431),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
])
def test_what_is_no_request_is_told_so_and_closed(server, data, status):
    with connect(server, data) as peer:
        received, in_order = read_all(peer)
        assert in_order and received.startswith(b"HTTP/1.1 %d " % status), received[:100]
        assert b"Connection: close\r\n" in received


def test_a_megabyte_of_headers_is_refused_at_8_kib(server):
    rss = server.rss_kib()
    for line in (b"X: " + b"a" * (1 << 20), b"X-A: b\r\n" * (1 << 17)):
        with connect(server, b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + line) as peer:
            received, in_order = read_all(peer)
            assert in_order and received.startswith(b"HTTP/1.1 431 ")
    assert server.rss_kib() - rss < 4_096
    assert scrape(server).get("budgetd_http_bounds_hit_total", bound="request_bytes") == 2


def test_a_request_that_does_not_end_is_ended(server):
    with connect(server, b"GET /metrics HTTP/1.1\r\n") as peer:
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 4:
                peer.sendall(b"X")
                time.sleep(0.2)
        received, _ = read_all(peer)
        assert received.startswith(b"HTTP/1.1 408 ")
        assert 4 < time.monotonic() - began < LONG
    assert scrape(server).get("budgetd_http_bounds_hit_total", bound="request_time") == 1


def test_no_more_than_64_connections_and_idle_ones_make_room(server):
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connect(server, GET % b"/healthz")) for _ in range(200)]
        eventually(lambda: page(server, "/healthz"), LONG)
        metrics = scrape(server)
        assert metrics["budgetd_http_connections"] <= 64
        # The others go by themselves: each answer is the last of its connection while some wait.
        assert metrics.get("budgetd_http_bounds_hit_total", bound="connections") > 0
        answered = 0
        for peer in idle:
            with contextlib.suppress(ConnectionResetError):
                answered += peer.recv(65536).startswith(b"HTTP/1.1 200")
        assert answered == 200, "an answer comes before room is made"


def big_config():
    """Metrics of some megabytes, past what sockets take by themselves."""
    return config_text(PROVIDERS, {f"tag-{n:05}-{'x' * 100}": (1, "1d") for n in range(10_000)})


def test_readers_that_stop_are_cut_off_and_harm_nobody(start):
    server = start(big_config())
    scrape(server)
    with contextlib.ExitStack() as stack:
        stuck = []
        for _ in range(20):
            peer = socket.socket()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            peer.connect(http_address(server))
            peer.sendall(GET % b"/metrics")
            stuck.append(stack.enter_context(peer))
        began = time.monotonic()

        def cut_off():
            assert page(server, "/healthz") == "ok\n"
            metrics = scrape(server)
            return metrics.get("budgetd_http_bounds_hit_total", bound="stall_time") == 20

        eventually(cut_off, 60, "20 readers cut off")
        assert time.monotonic() - began > 4
        for peer in stuck:
            received, _ = read_all(peer)
            assert 0 < len(received) < 5_000_000
        # All shared one text or a few.
        assert server.rss_kib() < 400_000


def test_scrapers_by_the_hundred_get_whole_answers_and_rpcs_go_on(server):
    stop = threading.Event()
    failures, scraped = [], []

    def scraper():
        while not stop.is_set():
            began = asked = time.monotonic()
            connection = http.client.HTTPConnection(*http_address(server), timeout=LONG)
            try:
                connection.request("GET", "/metrics")
                asked = time.monotonic()
                response = connection.getresponse()
                assert response.status == 200
                scraped.append(len(response.read()))
            except Exception as error:
                # One that takes 0.1 s to ask, or waits 1 s for its answer, makes room for others.
                if asked - began < 0.1 and time.monotonic() - asked < 1:
                    failures.append(error)
            finally:
                connection.close()

    threads = [threading.Thread(target=scraper) for _ in range(100)]
    for thread in threads:
        thread.start()
    with connect(server, GET % b"/metrics" * 100), \
            connect(server, b"GET / HTTP/1.1\r\nX: " + b"a" * (1 << 20)):
        with server.client() as client:
            for number in range(2_000):
                response = client.call(record_spend=dict(provider="openai", cost_usd=0.001))
                assert code_of(response) == OK
                if number % 10 == 0:
                    assert code_of(client.call(ping={})) == OK
        eventually(lambda: len(scraped) >= 300, 60, "300 scrapes")
    stop.set()
    for thread in threads:
        thread.join(LONG)
    assert failures == []
    metrics = scrape(server)
    promtool_check(metrics.text)
    assert metrics["budgetd_spend_recorded_dollars_total"] == 2
    assert metrics["budgetd_http_connections"] <= 64


def test_idle_it_uses_no_cpu(server):
    with connect(server), connect(server, b"GET /"):
        scrape(server)
        time.sleep(1)
        before = server.cpu_seconds()
        time.sleep(3)
        # The deadline of the half request falls into this time.
        assert server.cpu_seconds() - before <= 0.05


# --- life

def test_the_port_as_options_ask_for_it(start, budgetd, tmp_path, server):
    config = tmp_path / "config.yaml"
    config.write_text(config_text(PROVIDERS))

    def refused(*arguments):
        result = run(budgetd, "--config", config, "--listen", "127.0.0.1:0", "--data-dir",
                     tmp_path / "data", *arguments)
        assert result.stdout == ""
        assert len(result.stderr.splitlines()) == 1, result.stderr
        return result.returncode, result.stderr

    host, port = http_address(server)
    code, line = refused("--http", f"{host}:{port}")
    assert code == 69 and f"{host}:{port}" in line and "--http" in line and "port 0" in line
    code, line = refused("--http", "0.0.0.0:0")
    assert code == 64 and "--insecure-network" in line
    for wrong in ("nonsense", "127.0.0.1", ":1", "127.0.0.1:99999"):
        assert refused("--http", wrong)[0] == 64
    assert refused("--http", "off", "--metrics-tags", "-1")[0] == 64
    off = start(config_text(PROVIDERS), "--http", "off")
    assert off.ready_line["http"] == "off"
    assert code_of(off.call(ping={})) == OK
    variable = start(config_text(PROVIDERS), environment={"BUDGETD_METRICS_TAGS": "7"})
    assert page(variable, "/healthz")
    insecure = start(config_text(PROVIDERS), "--http", "0.0.0.0:0", "--insecure-network")
    assert "listening on 0.0.0.0:" in insecure.log
    _, port = address(insecure.ready_line["http"])
    with socket.create_connection(("127.0.0.1", port), SHORT) as peer:
        peer.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert b"\nbudgetd_insecure_listener 1\n" in read_all(peer)[0]


def test_while_it_drains_the_port_answers_that_it_is_not_ready(start, tmp_path):
    server = start(config_text(PROVIDERS))
    server.record("openai", 1)
    kept = http.client.HTTPConnection(*http_address(server), timeout=LONG)
    kept.request("GET", "/readyz")
    assert kept.getresponse().read() == b"ready\n"
    with inject(server, tmp_path / "trace", "fdatasync", "delay_enter=2000000:when=1"), \
            server.client() as client:
        # The drain waits for this record's commit, and that for the disk.
        client.send(record_spend=dict(provider="openai", cost_usd=1))
        eventually(lambda: scrape(server)["budgetd_ledger_waiting_records"] == 1)
        server.process.send_signal(signal.SIGTERM)

        def draining():
            kept.request("GET", "/readyz")
            response = kept.getresponse()
            return response.status == 503 and response.read().decode() or response.read() and None

        assert eventually(draining, SHORT) == "draining: the server is ending\n"
        assert page(server, "/healthz") == "ok\n"
        assert scrape(server)["budgetd_ready"] == 0
        assert code_of(client.receive()) == OK
        assert server.process.wait(10) == 0


def test_readiness_is_pings(start, tmp_path):
    server = start(config_text(PROVIDERS))
    server.record("openai", 1)
    assert server.call(ping={}).ping.ready and page(server, "/readyz") == "ready\n"
    metrics = scrape(server)
    assert metrics["budgetd_ready"] == metrics["budgetd_ledger_writable"] == 1
    with inject(server, tmp_path / "trace", "pwrite64", "error=EIO:when=1+"):
        answers = []

        def refuses():
            answers.append(code_of(server.call(record_spend=dict(provider="openai", cost_usd=1))))
            # At first it refuses and tries again; in the end it has failed, and stays so.
            return "has failed" in server.call(ping={}).ping.not_ready_reason

        eventually(refuses, LONG, "failed for good")
        reason = server.call(ping={}).ping.not_ready_reason
        status, _, text = ask(server, "/readyz")
        assert (status, text) == (503, reason + "\n")
        metrics = scrape(server)
        promtool_check(metrics.text)
        assert metrics["budgetd_ready"] == metrics["budgetd_ledger_writable"] == 0
        assert metrics["budgetd_ledger_failures_total"] > 0
        status = json.loads(page(server, "/status.json"))
        assert not status["ready"] and status["not_ready_reasons"] == [reason]
        assert status["ledger"]["state"] in ("refusing", "failed") and status["ledger"]["reason"]
        failed = [a for a in answers if a in (pb.Status.UNKNOWN, pb.Status.UNAVAILABLE)]
        assert len(failed) == sum(
            int(value) for labels, value in metrics.family("budgetd_records_total").items()
            if dict(labels)["outcome"] in ("refused", "unknown"))
        server.kill()
