"""What budgetctl shows: full disks, absent readers, absurd servers, narrow terminals, what is asked."""

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import termios
import threading

import pytest

from budget_client import pb
from conftest import VECTORS, config_text, eventually, run, running

CONFIG = config_text(
    {"openai": (10.0, "1d"), "anthropic": (None, "30d"), "azure": (1.0, "7d")},
    {"red": (5.0, "1w"), "blue": (100.0, "1w")},
    [("d-1", "gpt", "openai/gpt-4o", 2.0, "1d"), ("d-2", "gpt", "azure/gpt-4o"),
     ("d-3", "odd", "nobody-knows-this-model")])


@pytest.fixture(scope="module")
def server(budgetd, tmp_path_factory):
    with running(budgetd, tmp_path_factory.mktemp("cli"), CONFIG) as server:
        server.record("openai", 2.5)
        yield server


@pytest.fixture
def ctl(budgetctl, server):
    def ctl(*arguments, **options):
        return run(budgetctl, "--server", "%s:%d" % server.rpc, *arguments, **options)
    return ctl


# Where output cannot go

FILTER = ["filter", "--deployment", "id=a,model=openai/gpt-4o"]
COMMANDS = [
    ["budgets"], ["budgets", "--output", "json"], FILTER, [*FILTER, "--output", "json"],
    ["explain", "--tag", "red"], ["ping"], ["record", "--provider", "openai", "--cost", "0"],
    ["simulate", VECTORS / "quirks.jsonl"], ["check-config", "CONFIG"], ["--help"], ["--version"],
    ["budgets", "--help"], ["--generate-completion-script", "bash"], ["budgets", "--watch"],
]


@pytest.fixture(params=COMMANDS, ids=lambda command: " ".join(str(word) for word in command[:2]))
def command(request, budgetctl, server, monkeypatch):
    monkeypatch.setenv("BUDGETD_SERVER", "%s:%d" % server.rpc)
    words = [str(server.config) if word == "CONFIG" else str(word) for word in request.param]
    return [budgetctl, *words]


def test_a_full_disk_is_an_error(command):
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=20,
            stdin=subprocess.DEVNULL)
    assert result.returncode == 74, result
    assert "No space left" in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("is_ignored", [False, True], ids=["dies", "ignored"])
def test_a_reader_that_has_gone_is_no_news(command, is_ignored):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = subprocess.run(
            command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=20,
            stdin=subprocess.DEVNULL, restore_signals=not is_ignored)
    finally:
        os.close(writer)
    assert result.returncode in (-signal.SIGPIPE, 141) and result.stderr == "", result


def test_a_closed_output_asks_nothing(budgetctl, server):
    """Else the connection would be descriptor 1, and be sent the answer."""
    where, before = "%s:%d" % server.rpc, server.spend("openai")
    result = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", budgetctl, "--server", where, "record",
         "--provider", "openai", "--cost", "1"],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=20)
    assert result.returncode == 74 and "standard output is closed" in result.stderr
    assert server.spend("openai") == before
    # Closed standard error and input are no reason not to work.
    result = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- 2>&-', "sh", budgetctl, "--server", where, "budgets"],
        stdout=subprocess.PIPE, text=True, timeout=20)
    assert result.returncode == 0 and "openai" in result.stdout


# Servers that say absurd things

ABSURD = [float("nan"), float("inf"), -float("inf"), -1e300, 1e300, -0.0, 5e-324]
INSTANTS = [-(2 ** 63), 2 ** 63 - 1, -1, 0]


@contextlib.contextmanager
def speaking(answer):
    """A server that answers each request with `answer(request)`, a Response without call id."""
    connections = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve_one(connection):
            with connection, connection.makefile("rb") as reader:
                while True:
                    head = reader.read(4)
                    if len(head) < 4:
                        return
                    request = pb.Request.FromString(reader.read(int.from_bytes(head, "big")))
                    response = answer(request)
                    response.call_id = request.call_id
                    message = response.SerializeToString()
                    connection.sendall(struct.pack(">I", len(message)) + message)

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return  # the end of the test
                thread = threading.Thread(target=serve_one, args=[connection], daemon=True)
                thread.start()
                connections.append(thread)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield "127.0.0.1:%d" % listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for thread in [thread, *connections]:
        thread.join(10)
        assert not thread.is_alive()


def absurd_answer(request):
    response = pb.Response()
    method = request.WhichOneof("method")
    if method == "get_provider_budgets":
        page = response.get_provider_budgets
        page.reconciled_at_unix_ms = INSTANTS[len(request.get_provider_budgets.tags) % 2]
        for number in ABSURD:
            for limit in [*ABSURD, None]:
                for scope in (page.providers, page.deployments, page.tags):
                    budget = scope.add(name="\x1b[31m", time_period="\x00", spend_usd=number,
                                       remaining_usd=number, reserved_usd=limit or 0)
                    if limit is not None:
                        budget.limit_usd = limit
                    budget.exhausted = number != number
                    budget.resets_at_unix_ms = INSTANTS[len(page.providers) % len(INSTANTS)]
    elif method == "filter_deployments":
        for number in ABSURD:
            for instant in INSTANTS:
                response.filter_deployments.denials.add(
                    deployment=2 ** 32 - 1, scope=77, name="x", spend_usd=number,
                    limit_usd=-number, withheld_usd=number, resets_at_unix_ms=instant)
                response.filter_deployments.denials.add(
                    deployment=0, scope=1, spend_usd=number, limit_usd=number,
                    withheld_usd=number, resets_at_unix_ms=instant)
        response.filter_deployments.allowed.extend([2 ** 32 - 1, 5, 5])
        response.filter_deployments.denials_omitted = 2 ** 32 - 1
    elif method == "explain_request":
        for number in ABSURD:
            for instant in INSTANTS:
                candidate = response.explain_request.candidates.add()
                candidate.budgets.add(
                    scope=9, verdict=1, spend_usd=number, pending_usd=number, limit_usd=number,
                    withheld_usd=number, resets_at_unix_ms=instant)
        response.explain_request.tags.add(verdict=99)
        response.explain_request.candidates_omitted = 2 ** 32 - 1
    elif method == "ping":
        response.ping.idempotency_horizon_unix_ms = 2 ** 63 - 1
    elif method == "record_spend":
        response.record_spend.budgets_charged = 2 ** 32 - 1
    elif method == "backup_ledger":
        response.backup_ledger.bytes = 2 ** 64 - 1
    return response


@pytest.mark.parametrize("arguments", [
    *[["budgets", "--deployments", "--tags", "--sort", order]
      for order in ("config", "nearest", "name", "spend", "resets")],
    ["budgets"], ["budgets", "--exhausted"], ["budgets", "x"], ["budgets", "--output", "json"],
    FILTER, [*FILTER, "--output", "json"], ["explain", "--tag", "t"],
    ["explain", "--tag", "t", "--output", "json"], ["ping"], ["ping", "--output", "json"],
    ["record", "--provider", "p", "--cost", "1"], ["backup", "/tmp/x"]], ids=" ".join)
def test_absurd_numbers_do_not_trap(budgetctl, arguments):
    with speaking(absurd_answer) as where:
        result = run(budgetctl, "--server", where, *arguments)
    assert 0 <= result.returncode <= 2, result
    assert "Fatal error" not in result.stderr and "\x1b" not in result.stdout + result.stderr
    if arguments[-1] == "json":
        json.loads(result.stdout)


# Budgets


def test_exhausted_budgets_outside_what_is_shown_are_shown(start, budgetctl):
    server = start(CONFIG)
    where = "%s:%d" % server.rpc

    def shown(*arguments):
        return run(budgetctl, "--server", where, "budgets", *arguments)

    assert "red" not in shown().stdout
    server.record("openai", 1, tags=["red"])
    assert "red" not in shown().stdout  # nothing is exhausted
    server.record("nobody", 4, tags=["red"])
    result = shown()
    assert result.returncode == 0
    for name in ("openai", "d-1", "red", "blue"):
        assert re.search(rf"^{name}\b", result.stdout, re.MULTILINE), name
    assert "1 budget is exhausted outside" in result.stdout
    # Where the scope was asked for, it is no news; and a program gets what it asked for.
    assert "exhausted outside" not in shown("--tags").stdout
    assert "d-1" not in shown("--tags").stdout
    assert {b["scope"] for b in json.loads(shown("--output", "json").stdout)} == {"provider"}
    only = shown("--exhausted")
    assert only.returncode == 0 and "red" in only.stdout
    assert "blue" not in only.stdout and "openai" not in only.stdout
    assert [b["name"] for b in json.loads(shown("--exhausted", "--output", "json").stdout)] == [
        "red"]


def test_no_exhausted_budget_is_said(ctl):
    result = ctl("budgets", "--exhausted")
    assert result.returncode == 0 and result.stdout == "no budget is exhausted\n"


def test_budgets_by_name(ctl):
    result = ctl("budgets", "red", "openai", "d-1", "--output", "json")
    assert result.returncode == 0
    found = [(budget["scope"], budget["name"]) for budget in json.loads(result.stdout)]
    assert found == [("provider", "openai"), ("deployment", "d-1"), ("tag", "red")]
    table = ctl("budgets", "red").stdout
    assert "red" in table and "openai" not in table and "no budgets" not in table
    result = ctl("budgets", "openai", "opneai")
    assert result.returncode == 1 and "openai" in result.stdout and "'opneai'" in result.stderr


def test_budgets_are_sorted(start, budgetctl):
    server = start(config_text({"c": (10, "1d"), "a": (10, "1h"), "b": (100, "1d"),
                                "z": (None, "1d"), "full": (1, "1d")}))
    server.record("a", 2)
    server.record("b", 50)
    server.record("c", 1)
    server.record("full", 1)
    where = "%s:%d" % server.rpc

    def names(*arguments):
        result = run(budgetctl, "--server", where, "budgets", "--output", "json", *arguments)
        return [budget["name"] for budget in json.loads(result.stdout)]

    assert names() == ["c", "a", "b", "z", "full"]
    assert names("--sort", "nearest") == ["full", "b", "a", "c", "z"]
    assert names("--sort", "name") == ["a", "b", "c", "full", "z"]
    assert names("--sort", "spend") == ["b", "a", "c", "full", "z"]
    assert names("--sort", "resets")[0] == "a"


def test_watching_shows_the_nearest_first(start, budgetctl):
    server = start(config_text({"far": (10, "1d"), "near": (10, "1d")}))
    server.record("near", 9)
    process = subprocess.Popen(
        [budgetctl, "--server", "%s:%d" % server.rpc, "budgets", "--watch"],
        stdout=subprocess.PIPE, text=True)
    try:
        lines = [process.stdout.readline() for _ in range(3)]
    finally:
        process.kill()
        process.communicate()
    assert [line.split()[0] for line in lines] == ["PROVIDER", "near", "far"]


# Terminals


def on_terminal(command, columns, environment=None):
    """What the command writes to a terminal of that many columns."""
    parent, child = pty.openpty()
    try:
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=child,
            stderr=subprocess.PIPE,
            env={**os.environ, "TERM": "xterm", **(environment or {})})
        os.close(child)
        child = None
        text = b""
        while True:
            try:
                piece = os.read(parent, 65536)
            except OSError:
                break  # the terminal's other end is closed
            if not piece:
                break
            text += piece
        assert process.wait(20) in (0, 2), process.stderr.read()
        process.stderr.close()
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode())
        return plain.replace("\r\n", "\n").splitlines()
    finally:
        os.close(parent)
        if child is not None:
            os.close(child)


@pytest.mark.parametrize("columns", [20, 40, 60, 200])
@pytest.mark.parametrize("arguments", [
    ["budgets", "--deployments", "--tags"], FILTER, ["explain", "--model-name", "gpt", "--tag", "red"],
    ["check-config", "CONFIG"]], ids=lambda arguments: arguments[0])
def test_narrow_terminals_cut(budgetctl, server, arguments, columns, monkeypatch):
    monkeypatch.setenv("BUDGETD_SERVER", "%s:%d" % server.rpc)
    monkeypatch.delenv("COLUMNS", raising=False)
    words = [server.config if word == "CONFIG" else word for word in arguments]
    whole = run(budgetctl, *words).stdout.splitlines()
    header = next(line for line in whole if re.match(r"(PROVIDER| +DEPLOYMENT|CANDIDATE|DEPLOYMENT) ",
                                                     line))
    shown = on_terminal([budgetctl, *words], columns)
    if columns == 200:
        assert shown[0] == whole[0]
        return
    # One line a line: the table's are cut, sentences below it are not tables.
    table = [line for line in shown if line.startswith(header[:10])]
    assert table and all(len(line) <= columns for line in table)
    rows = [line for line in shown if re.match(r"(openai|azure|d-|allowed|denied|red|blue)", line)]
    assert rows and all(len(line) <= columns for line in rows), shown
    # Budgets lose the columns that others tell as well, before any is cut.
    if arguments[0] == "budgets" and columns >= 40:
        assert all("$" in line for line in rows) and "LIMIT" in table[0], shown
    elif len(header) > columns + 40:
        assert any(line.endswith("…") for line in table + rows)


def test_columns_of_the_environment_win(budgetctl, server, monkeypatch):
    monkeypatch.setenv("BUDGETD_SERVER", "%s:%d" % server.rpc)
    command = [budgetctl, "explain", "--model-name", "gpt"]
    for columns, asked in ((200, "30"), (30, "0"), (30, "many")):
        shown = on_terminal(command, columns, {"COLUMNS": asked})
        assert all(len(line) <= 30 for line in shown) and shown[0].endswith("…"), asked


# Words


def test_version(budgetctl, budgetd):
    result = run(budgetctl, "--version")
    assert result.returncode == 0 and result.stdout == run(budgetd, "--version").stdout


@pytest.mark.parametrize("words, meant", [
    (["budgts"], "budgets"), (["filtr"], "filter"), (["check_config"], "check-config"),
    (["--server", "127.0.0.1:1", "pnig"], "ping"), (["explian", "--tag", "x"], "explain")],
    ids=lambda value: str(value))
def test_mistyped_commands(budgetctl, words, meant):
    result = run(budgetctl, *words)
    assert result.returncode == 64 and f"did you mean '{meant}'?" in result.stderr, result


def test_unknown_commands_name_those_there_are(budgetctl):
    result = run(budgetctl, "frobnicate")
    assert result.returncode == 64 and "budgets, history, filter, explain" in result.stderr
    assert "did you mean" not in result.stderr
    result = run(budgetctl, "budgets", "--dep")
    assert result.returncode == 64 and "--dep" in result.stderr


def test_filter_shows_the_provider_that_was_derived(ctl, budgetctl):
    result = ctl("filter", "--deployment", "id=a,model=openai/gpt-4o",
                 "--deployment", "id=b,model=nobody-knows-this-model",
                 "--deployment", "id=c,model=x,provider=azure")
    lines = result.stdout.splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["openai", "none", "azure"]
    document = json.loads(ctl("filter", "--model-name", "odd", "--output", "json").stdout)
    assert document["candidates"][0]["derived_provider"] is None
    document = json.loads(ctl(
        "filter", "--deployment", "id=a,model=openai/gpt-4o", "--output", "json").stdout)
    assert document["candidates"][0]["derived_provider"] == "openai"

    def old(request):
        response = pb.Response()
        if request.HasField("explain_request"):
            response.status.code = pb.Status.UNIMPLEMENTED
        else:
            response.filter_deployments.allowed.append(0)
        return response

    with speaking(old) as where:
        result = run(budgetctl, "--server", where, *FILTER)
    assert result.returncode == 0 and result.stdout.splitlines()[1].endswith("derived")


# explain


def test_explain_names_every_budget(start, budgetctl):
    server = start(CONFIG)
    server.record("azure", 2, tags=["red"])
    result = run(
        budgetctl, "--server", "%s:%d" % server.rpc, "explain",
        "--deployment", "id=d-1,model=openai/gpt-4o", "--deployment", "id=n,model=x,provider=azure",
        "--deployment", "id=u,model=nobody-knows", "--tag", "red", "--tag", "none", "--tag", "a\x01b")
    assert result.returncode == 0, result
    rows = [re.split(r"\s{2,}", line.strip()) for line in result.stdout.splitlines()]
    assert rows[0] == ["CANDIDATE", "VERDICT", "SCOPE", "NAME", "SPEND", "LIMIT", "RESETS IN"]
    assert rows[1][:7] == ["allowed", "d-1", "allows", "provider", "openai", "$0.00", "$10.00 / 1d"]
    assert rows[2][:5] == ["allows", "deployment", "d-1", "$0.00", "$2.00 / 1d"]
    assert rows[3][:7] == ["denied", "n", "DENIES", "provider", "azure", "$2.00", "$1.00 / 7d"]
    assert rows[4][:3] == ["no such budget", "deployment", "n"]
    assert rows[5][:3] == [
        "allowed", "u",
        "no such budget: no provider is given and none follows from the model"]
    assert rows[7][:6] == ["every candidate", "allows", "tag", "red", "$2.00", "$5.00 / 1w"]
    assert rows[8][:3] == ["no such budget", "tag", "none"]
    assert rows[9][0] == "unusable: the name has control characters"
    assert len(rows) == 10 and "\x01" not in result.stdout

    document = json.loads(run(
        budgetctl, "--server", "%s:%d" % server.rpc, "explain", "--model-name", "gpt",
        "--tag", "red", "--output", "json").stdout)
    assert [c["allowed"] for c in document["candidates"]] == [True, False]
    assert document["candidates"][1]["provider"] == "azure"
    assert document["tags"][0]["verdict"] == "allows" and document["tags"][0]["spend_usd"] == 2
    # Who looks for a cause denies nothing.
    assert run(budgetctl, "--server", "%s:%d" % server.rpc, "explain").returncode == 64


def test_explain_and_its_metrics_over_the_wire(start):
    from test_metrics import scrape
    server = start(CONFIG)
    server.record("azure", 2)
    candidate = dict(id="n", provider="azure")
    for _ in range(3):
        answer = server.call(explain_request=dict(deployments=[candidate], tags=["red"]))
        assert answer.explain_request.candidates[0].budgets[0].verdict == pb.VERDICT_DENIES
    labels = dict(scope="provider", name="azure", window="7d")
    assert scrape(server).get("budgetd_budget_denials_total", **labels) == 0
    for _ in range(3):
        server.call(filter_deployments=dict(deployments=[candidate, candidate], tags=["\n"]))
    metrics = scrape(server)
    assert metrics.get("budgetd_budget_denials_total", **labels) == 6
    assert metrics.get("budgetd_budget_denials_total", scope="provider", name="openai",
                       window="1d") == 0
    unusable = metrics.family("budgetd_unusable_names_total")
    assert len(unusable) == 12 and sum(unusable.values()) == 3
    assert metrics.get("budgetd_unusable_names_total", field="tag", reason="control_character") == 3
    assert metrics.get("budgetd_rpc_requests_total", method="ExplainRequest", status="OK") == 3
    methods = server.call(ping={}).ping.methods
    assert "explain_request" in methods and "reserve_spend" in methods


def test_simulate_ends_with_how_many_agree(budgetctl, tmp_path):
    result = run(budgetctl, "simulate", VECTORS / "public.jsonl", "--check", timeout=120)
    assert result.stdout.splitlines()[-1] == "267 of 267 agree"
    result = run(budgetctl, "simulate", VECTORS / "quirks.jsonl", "--check", timeout=120)
    assert result.stdout.splitlines()[-1] == "29 of 29 agree, 7 skipped"
    trace = tmp_path / "trace.jsonl"
    lines = (VECTORS / "public.jsonl").read_text().splitlines()[:3]
    trace.write_text("\n".join([lines[0].replace('"exhausted": false', '"exhausted": true'),
                                *lines[1:]]))
    result = run(budgetctl, "simulate", trace, "--check")
    assert result.returncode == 1 and result.stdout.splitlines()[-1] == "2 of 3 agree"
