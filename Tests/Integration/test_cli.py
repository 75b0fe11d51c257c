"""budgetctl against a running server."""

import contextlib
import json
import os
import re
import socket
import socketserver
import subprocess
import threading
import time

import pytest

from budget_client import pb
from conftest import config_text, eventually, run, running

CONFIG = config_text(
    {"openai": (10.0, "1d"), "anthropic": (None, "30d"), "azure": (1.0, "7d")},
    {"red": (5.0, "1w")},
    [("d-1", "gpt", "openai/gpt-4o", 2.0, "1d"), ("d-2", "gpt", "azure/gpt-4o")])


@pytest.fixture(scope="module")
def server(budgetd, tmp_path_factory):
    with running(budgetd, tmp_path_factory.mktemp("cli"), CONFIG) as server:
        server.record("openai", 2.5)
        server.record("azure", 1.5, tags=["red"])
        yield server


@pytest.fixture
def ctl(budgetctl, server):
    def ctl(*arguments):
        return run(budgetctl, "--server", "%s:%d" % server.rpc, *arguments)
    return ctl


def failed(result, *codes):
    assert result.returncode in codes if codes else result.returncode != 0, result
    text = result.stderr.strip()
    assert text and "Fatal error" not in text and "Stack dump" not in text
    return text


# budgets


def test_table_of_budgets(ctl):
    result = ctl("budgets")
    assert result.returncode == 0 and not result.stderr
    plain = result.stdout.replace("\u2212", "-").replace("$", "")
    rows = {line.split()[0]: line for line in plain.splitlines() if line.strip()}
    assert "2.5" in rows["openai"] and "10" in rows["openai"] and "7.5" in rows["openai"]
    assert "1.5" in rows["azure"] and "-0.5" in rows["azure"]
    assert "anthropic" in rows and "red" not in result.stdout and "d-1" not in result.stdout
    assert "\x1b" not in result.stdout, "colours in a pipe"


def test_table_with_deployments_and_tags(ctl):
    result = ctl("budgets", "--deployments", "--tags")
    assert result.returncode == 0
    for name in ("openai", "anthropic", "azure", "d-1", "red"):
        assert re.search(rf"\b{name}\b", result.stdout), name


def walk(value):
    """All objects within a JSON document."""
    if isinstance(value, dict):
        yield value
        value = value.values()
    if not isinstance(value, str) and hasattr(value, "__iter__"):
        for part in value:
            yield from walk(part)


def test_budgets_as_json(ctl):
    result = ctl("budgets", "--deployments", "--tags", "--output", "json")
    assert result.returncode == 0 and not result.stderr
    document = json.loads(result.stdout)
    found = {entry["name"]: entry for entry in walk(document) if "name" in entry}
    assert set(found) == {"openai", "anthropic", "azure", "d-1", "red"}
    assert 2.5 in found["openai"].values() and 7.5 in found["openai"].values()
    assert -0.5 in found["azure"].values()
    assert "1w" in found["red"].values() and 1.5 in found["red"].values()
    assert 10.0 not in found["anthropic"].values()


def test_unknown_output(ctl):
    failed(ctl("budgets", "--output", "xml"), 64)


def test_watch_goes_on_until_interrupted(budgetctl, server):
    process = subprocess.Popen(
        [budgetctl, "--server", "%s:%d" % server.rpc, "budgets", "--watch"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        os.set_blocking(process.stdout.fileno(), False)
        seen = b""

        def shown_twice():
            nonlocal seen
            seen += process.stdout.read() or b""
            return seen.count(b"openai") >= 2

        eventually(shown_twice, 15, "a second table")
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()


# filter


def test_filter(ctl):
    result = ctl("filter", "--deployment", "id=one,model=openai/gpt-4o",
                 "--deployment", "id=two,model=x,provider=azure")
    assert result.returncode == 0, result
    assert "one" in result.stdout and "azure" in result.stdout


def test_filter_when_all_are_over_budget(ctl):
    result = ctl("filter", "--deployment", "id=two,model=x,provider=azure")
    assert result.returncode not in (0, 64)
    assert "Exceeded budget for provider azure: 1.5 >= 1.0" in result.stdout + result.stderr


def test_filter_by_model_name_and_tag(ctl):
    result = ctl("filter", "--model-name", "gpt", "--tag", "red")
    assert result.returncode == 0 and "d-1" in result.stdout
    assert "no-such" in failed(ctl("filter", "--model-name", "no-such"))


@pytest.mark.parametrize("text", ["nonsense", "id=a,colour=b", "=", "id=a,id=b", ""])
def test_filter_of_nonsense(ctl, text):
    failed(ctl("filter", "--deployment", text), 64)


# record


def test_record(ctl, server):
    before = server.budgets()
    result = ctl("record", "--provider", "openai", "--cost", "0.25", "--deployment-id", "d-1",
                 "--tag", "red", "--tag", "none")
    assert result.returncode == 0, result
    assert "3" in result.stdout  # budgets were charged
    after = server.budgets()
    for scope, name in (("providers", "openai"), ("deployments", "d-1"), ("tags", "red")):
        assert after[scope][name].spend_usd == before[scope][name].spend_usd + 0.25


def test_record_of_what_has_no_budget_says_so(ctl):
    result = ctl("record", "--provider", "nobody", "--cost", "1")
    assert result.returncode == 0 and re.search(r"\b(0|no)\b", result.stdout + result.stderr)


@pytest.mark.parametrize("cost", ["-1", "nan", "inf", "a lot", "9000000001"])
def test_record_of_an_impossible_cost(ctl, server, cost):
    before = server.spend("openai")
    failed(ctl("record", "--provider", "openai", f"--cost={cost}"))
    assert server.spend("openai") == before


def test_record_needs_a_cost_and_a_name(ctl):
    failed(ctl("record", "--provider", "openai"), 64)
    failed(ctl("record", "--cost", "1"))


# check-config


def test_check_config(budgetctl, tmp_path):
    good = tmp_path / "good.yaml"
    good.write_text(CONFIG)
    result = run(budgetctl, "check-config", good)
    assert result.returncode == 0, result
    bad = tmp_path / "bad.yaml"
    bad.write_text(config_text({"openai": (-1, "1d"), "azure": (1, "tomorrow")}))
    result = run(budgetctl, "check-config", bad)
    assert result.returncode == 78
    lines = re.findall(r"bad\.yaml:(\d+)", result.stdout + result.stderr)
    assert len(lines) == 2 and lines[0] != lines[1]
    failed(run(budgetctl, "check-config", tmp_path / "nowhere.yaml"))


def test_check_config_looks_at_files_of_certificates(budgetctl, tmp_path):
    config, text = tmp_path / "config.yaml", tmp_path / "text.pem"
    text.write_text("not a certificate\n")
    config.write_text(config_text({"openai": (1.0, "1d")}) + f"""
litellm_settings:
  cache: true
  cache_params: {{type: redis, host: localhost, ssl: true, ssl_ca_certs: /nosuch.pem, ssl_certfile: {text}}}
""")
    result = run(budgetctl, "check-config", config)
    assert result.returncode == 0 and "2 warnings" in result.stdout, result
    assert "ssl_ca_certs /nosuch.pem: there is no such file here; budgetd needs it to start" in result.stdout
    assert f"ssl_certfile {text}: it has no line that begins with -----BEGIN" in result.stdout
    found = json.loads(run(budgetctl, "check-config", config, "--output", "json").stdout)
    assert len(found["file_warnings"]) == 2


def test_check_config_warns_of_too_many_candidates(budgetctl, tmp_path):
    config = tmp_path / "many.yaml"
    config.write_text(config_text(
        models=[(f"d-{i}", "crowd", "openai/gpt-4o") for i in range(1025)]))
    result = run(budgetctl, "check-config", config)
    assert result.returncode == 0, result
    said = (result.stdout + result.stderr).replace(",", "")
    assert "crowd" in said and "1024" in said


# In general


@pytest.mark.parametrize("command", [
    [], ["budgets"], ["filter"], ["record"], ["check-config"], ["simulate"]], ids=" ".join)
def test_help(budgetctl, command):
    result = run(budgetctl, *command, "--help")
    assert result.returncode == 0 and "USAGE" in result.stdout
    options = {"budgets": ["--server", "--deployments", "--tags", "--output", "--watch"],
               "filter": ["--server", "--deployment", "--tag", "--model-name"],
               "record": ["--provider", "--cost", "--deployment-id", "--tag", "--key"],
               "simulate": ["--config", "--check"]}
    for option in options.get(" ".join(command), []):
        assert option in result.stdout, option
    if not command:
        for name in ("budgets", "filter", "record", "check-config", "simulate"):
            assert name in result.stdout


def test_completion_script(budgetctl, tmp_path):
    result = run(budgetctl, "--generate-completion-script", "bash")
    assert result.returncode == 0 and "check-config" in result.stdout
    script = tmp_path / "completion.bash"
    script.write_text(result.stdout)
    assert run("bash", "-n", script).returncode == 0


@pytest.mark.parametrize("arguments", [
    ["budgets"], ["record", "--provider", "p", "--cost", "1"],
    ["filter", "--deployment", "id=a,model=b"]], ids=lambda a: a[0])
def test_server_that_cannot_be_reached(budgetctl, arguments):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        where = "127.0.0.1:%d" % unused.getsockname()[1]
    began = time.monotonic()
    text = failed(run(budgetctl, "--server", where, *arguments))
    assert where in text and len(text.splitlines()) == 1
    assert time.monotonic() - began < 10


def test_server_that_says_nothing(budgetctl):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = "127.0.0.1:%d" % silent.getsockname()[1]
        assert where in failed(run(budgetctl, "--server", where, "budgets"))


@contextlib.contextmanager
def impostor(answer):
    """Something that reads one frame of each connection, answers and closes; (address, frames)."""
    frames = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return  # the end of the test
                with connection, connection.makefile("rb") as reader:
                    length = int.from_bytes(reader.read(4), "big")
                    frames.append(pb.Request.FromString(reader.read(length)))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield "127.0.0.1:%d" % listener.getsockname()[1], frames
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    assert not thread.is_alive()


ANSWERS = pytest.mark.parametrize("answer", [
    b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\5hello", b"\0\0\0\0", b"\xff" * 64, b""])


@ANSWERS
def test_server_that_is_something_else(budgetctl, answer):
    with impostor(answer) as (where, frames):
        assert where in failed(run(budgetctl, "--server", where, "budgets"))
        assert frames and all(f.HasField("get_provider_budgets") for f in frames)


@ANSWERS
def test_a_record_without_an_answer_is_not_sent_again(budgetctl, answer):
    """Nobody knows whether it was recorded: a second one without a key might count twice."""
    with impostor(answer) as (where, frames):
        text = failed(run(
            budgetctl, "--server", where, "record", "--provider", "p", "--cost", "1"))
        assert where in text
        assert len(frames) == 1 and frames[0].record_spend.cost_usd == 1


@pytest.mark.parametrize("where", ["nonsense", "127.0.0.1:", "127.0.0.1:99999", ":"])
def test_server_address_that_is_none(budgetctl, where):
    failed(run(budgetctl, "--server", where, "budgets"), 64)


@pytest.mark.parametrize("arguments", [["no-such-command"], ["budgets", "--no-such-option"]],
                         ids=" ".join)
def test_usage(budgetctl, arguments):
    failed(run(budgetctl, *arguments), 64)


@pytest.mark.parametrize("work, methods", [
    ("filter", ["filter_deployments"]), ("record", ["record_spend"]),
    ("mixed", ["filter_deployments", "record_spend"])])
def test_bench_counts_answers(ctl, work, methods):
    result = ctl("bench", "--work", work, "--seconds", "0.2", "--warm-up", "0",
                 "--connections", "3", "--depth", "5", "--output", "json")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert [method["method"] for method in report["methods"]] == methods
    for method in report["methods"]:
        assert method["ops_per_s"] > 0 and method["errors"] == 0
        assert sum(method["answers"].values()) == pytest.approx(method["ops_per_s"] * 0.2, abs=1)
        latency = method["latency"]
        assert 0 < latency["p50_us"] <= latency["p99_us"] <= latency["max_us"]


def test_bench_filters_by_model(ctl):
    def bench(*names):
        result = ctl("bench", *(word for name in names for word in ("--model-name", name)),
                     "--seconds", "0.2", "--warm-up", "0", "--output", "json")
        method, = json.loads(result.stdout)["methods"]
        return result.returncode, method
    code, method = bench("gpt")
    assert code == 0 and method["errors"] == 0 and method["ops_per_s"] > 0
    code, method = bench("gpt", "no-such-model")
    assert code == 1 and list(method["answers"]) != ["OK"] and method["errors"] > 0


@pytest.mark.parametrize("work", ["filter", "record"])
def test_bench_fresh_tags_are_never_seen_twice(budgetd, budgetctl, tmp_path, work):
    trace = tmp_path / "traffic.jsonl"
    with running(budgetd, tmp_path / "data", CONFIG, "--trace", trace) as server:
        result = run(budgetctl, "--server", "%s:%d" % server.rpc, "bench", "--work", work,
                     "--fresh-tags", "--seconds", "0.5", "--warm-up", "0", "--connections", "2",
                     "--depth", "2", "--output", "json")
        assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["fresh_tags"] is True and report["denied"] is False
    method, = report["methods"]
    assert list(method["answers"]) == ["OK"]
    steps = [json.loads(line) for line in trace.read_text().splitlines()]
    tags = [step["tags"] for step in steps if step.get("op") == work]
    assert method["answers"]["OK"] > 0 and len(tags) > 10
    fresh = [[tag for tag in each if re.fullmatch("user:[0-9a-f]{16}", tag)] for each in tags]
    assert all(len(each) == 1 for each in fresh)
    assert len({each[0] for each in fresh}) == len(fresh)


@pytest.mark.parametrize("options", [[], ["--fresh-tags"]])
def test_bench_denied_is_denied_every_time(ctl, options):
    result = ctl("bench", "--denied", *options, "--connections", "2", "--depth", "2",
                 "--seconds", "0.5", "--warm-up", "0", "--output", "json")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["denied"] is True and report["fresh_tags"] is bool(options)
    method, = report["methods"]
    assert method["method"] == "filter_deployments" and method["errors"] == 0
    assert list(method["answers"]) == ["RESOURCE_EXHAUSTED"]
    assert method["answers"]["RESOURCE_EXHAUSTED"] > 0


def test_bench_denied_wants_an_exhausted_budget(ctl, budgetd, budgetctl, tmp_path):
    with running(budgetd, tmp_path, config_text({"openai": (10.0, "1d")}, {}, [])) as server:
        def bench(*options):
            return run(budgetctl, "--server", "%s:%d" % server.rpc, "bench", *options)
        assert "no budget of" in failed(bench("--denied"), 64)
        assert "--work filter" in failed(bench("--denied", "--work", "record"), 64)
    # The model's deployments are within budget: the answers tell.
    result = ctl("bench", "--denied", "--model-name", "gpt", "--connections", "2", "--depth", "2",
                 "--seconds", "0.5", "--warm-up", "0", "--output", "json")
    assert "allowed a candidate" in failed(result, 1)


class LateFilters(socketserver.StreamRequestHandler):
    """A server without budgets that answers filters and records half a second late."""

    def handle(self):
        while len(header := self.rfile.read(4)) == 4:
            request = pb.Request.FromString(self.rfile.read(int.from_bytes(header, "big")))
            method = request.WhichOneof("method")
            if method != "get_provider_budgets":
                time.sleep(0.5)
            response = pb.Response(call_id=request.call_id)
            getattr(response, method).SetInParent()
            message = response.SerializeToString()
            self.wfile.write(len(message).to_bytes(4, "big") + message)


def test_bench_without_an_answer_in_its_time_has_failed(budgetctl):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), LateFilters) as late:
        late.daemon_threads = True
        thread = threading.Thread(target=late.serve_forever)
        thread.start()
        try:
            where = "127.0.0.1:%d" % late.server_address[1]
            for options, asked in [(["--output", "json"], "no filter_deployments in"),
                                   (["--work", "mixed"],
                                    "no filter_deployments and no record_spend in")]:
                result = run(budgetctl, "--server", where, "bench", "--seconds", "0.1", "--warm-up",
                             "0", "--connections", "1", "--depth", "1", *options)
                text = failed(result, 69)
                assert where in text and asked in text and "--seconds" in text
                assert result.stdout == ""
        finally:
            late.shutdown()
            thread.join()


def test_bench_wants_leave_for_other_machines(budgetctl):
    result = run(budgetctl, "--server", "192.0.2.1:7077", "bench")
    assert "--i-own-this-server" in failed(result, 64)
