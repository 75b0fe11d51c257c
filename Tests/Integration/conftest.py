"""The real budgetd on free ports, and what to look at from outside: /proc, replies, exit codes."""

import contextlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from budget_client import Client, pb

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "Tests" / "Vectors"
OK = pb.Status.OK
READY = re.compile(
    r"^budgetd ready rpc=(?P<rpc>\S+) http=(?P<http>\S+:\d+|off) durability=(?P<durability>\w+)"
    r"(?P<more>( [A-Za-z_-]+=\S*)*)$",
    re.MULTILINE,
)
# Two workers that take a file each end together if the longest files come first.
LONGEST_FILES = (
    "test_package", "test_litellm_plugin", "test_fleet_litellm", "test_memory_bounds",
    "test_ledger_files", "test_fleet_faults", "test_client_conformance", "test_python_client",
    "test_litellm_hooks", "test_fleet_machinery", "test_http_probes", "test_disk_faults",
    "test_http", "test_window_texts", "test_prometheus", "test_reloads", "test_errors_and_bounds",
)
SHORT, LONG = 10, 30  # seconds: what takes milliseconds; what may take a while on a busy machine


def pytest_collection_modifyitems(items):
    ranks = {name: rank for rank, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(ranks)))


def eventually(condition, timeout=SHORT, what="condition"):
    """Polls until `condition()` is truthy and returns it; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout} s, last {result!r}")
        time.sleep(0.005)


def binary(variable, name):
    choices = [ROOT / ".build" / kind / name for kind in ("release", "debug")]
    if variable in os.environ:
        choices = [Path(os.environ[variable])]
    for choice in choices:
        if os.access(choice, os.X_OK):
            return str(choice.resolve())
    pytest.exit(f"no {name}: build it, or set {variable}; looked at {choices}", returncode=2)


@pytest.fixture(scope="session")
def budgetd():
    return binary("BUDGETD_BIN", "budgetd")


@pytest.fixture(scope="session")
def budgetctl():
    return binary("BUDGETCTL_BIN", "budgetctl")


def address(text):
    if text.startswith("unix:"):
        return text.removeprefix("unix:")
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def code_of(response):
    return response.status.code


def name_of(response):
    return pb.Status.Code.Name(response.status.code)


def config_text(providers=None, tags=None, models=None):
    """A LiteLLM config from {name: (limit, window)} and (id, group, model, limit, window) rows."""
    document = {}
    if models:
        document["model_list"] = [model_entry(*model) for model in models]
    if providers:
        budgets = {n: {"budget_limit": x, "time_period": w} for n, (x, w) in providers.items()}
        document["router_settings"] = {"provider_budget_config": budgets}
    if tags:
        budgets = {n: {"max_budget": x, "budget_duration": w} for n, (x, w) in tags.items()}
        document["litellm_settings"] = {"tag_budget_config": budgets}
    # The dumper in C: the one in Python takes seconds for ten thousand budgets.
    return yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True,
                     width=10_000)


def model_entry(identifier, group, model, limit=None, window=None):
    params = {"model": model}
    if window is not None:
        params |= {"max_budget": limit, "budget_duration": window}
    return {
        "model_name": group,
        "litellm_params": params,
        "model_info": {"id": identifier},
    }


def environment_now():
    """The environment. Tests start servers in threads, and pytest changes it between tests."""
    while True:
        try:
            return dict(os.environ)
        except (KeyError, RuntimeError):
            continue


class Server:
    """A budgetd process; ready when the constructor returns."""

    def __init__(self, program, directory, config, *arguments, prefix=(), environment=None,
                 listen="127.0.0.1:0", http="127.0.0.1:0", descriptors=()):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config = self.directory / "config.yaml"
        self.config.write_text(config)
        self.log_path = self.directory / "stderr.log"
        self.output_path = self.directory / "stdout.log"
        command = [
            *prefix, program, "--config", str(self.config),
            *(part for one in ([listen] if isinstance(listen, str) else listen)
              for part in ("--listen", one)),
            *(("--http", http) if http else ()), "--data-dir", str(self.directory / "data"), *arguments,
        ]
        with open(self.log_path, "wb") as log, open(self.output_path, "wb") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=log,
                env={**environment_now(), **(environment or {})}, pass_fds=descriptors,
            )
        self.pid = self.process.pid
        try:
            self.ready_line = eventually(self._ready, LONG, f"ready line of {command}")
        except BaseException:
            self.kill()
            raise
        self.rpc = address(self.ready_line["rpc"])
        self.durability = self.ready_line["durability"]

    def _ready(self):
        status = self.process.poll()
        assert status is None, f"budgetd exited {status} before it was ready:\n{self.log}"
        return READY.search(self.output_path.read_text())

    @property
    def log(self):
        return self.log_path.read_text(errors="backslashreplace")

    def client(self, **options):
        return Client(self.rpc, **options)

    def call(self, **request):
        """One request on a connection of its own."""
        with self.client() as client:
            return client.call(**request)

    def budgets(self, **request):
        """All budgets as {scope: {name: Budget}}, over all pages."""
        request = {"include_deployments": True, "include_tags": True, **request}
        found = {"providers": {}, "deployments": {}, "tags": {}}
        with self.client() as client:
            while True:
                response = client.call(get_provider_budgets=request)
                assert code_of(response) == OK, response.status
                page = response.get_provider_budgets
                for scope, budgets in found.items():
                    for budget in getattr(page, scope):
                        assert budget.name not in budgets, f"{budget.name} is on two pages"
                        budgets[budget.name] = budget
                if not page.next_page_token:
                    return found
                request["page_token"] = page.next_page_token

    def spend(self, name, scope="providers"):
        return self.budgets()[scope][name].spend_usd

    def record(self, provider="", cost=0.0, **fields):
        response = self.call(record_spend=dict(provider=provider, cost_usd=cost, **fields))
        assert code_of(response) == OK, response.status
        return response.record_spend

    def reload(self, config):
        """Replaces the config file in one step and sends SIGHUP; does not wait for the effect."""
        new = self.config.with_suffix(".new")
        new.write_text(config)
        new.replace(self.config)
        self.process.send_signal(signal.SIGHUP)

    def rss_kib(self):
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_seconds(self):
        """User and system time of the process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        """SIGTERM; it must exit 0 within 10 s."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running 10 s after SIGTERM:\n{self.log[-4000:]}") from None
        assert status == 0, f"exit {status} after SIGTERM:\n{self.log[-4000:]}"

    def kill(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def running(program, directory, config, *arguments, **options):
    """A server for the block; stopped properly after it, killed if the block fails."""
    server = Server(program, directory, config, *arguments, **options)
    try:
        yield server
        if server.process.poll() is None:
            server.stop()
    finally:
        if server.process.poll() is None:
            server.kill()


@contextlib.contextmanager
def unharmed(server, rss_kib):
    """After the block the server answers, has grown by `rss_kib` at most and lost no descriptor."""
    before, descriptors = server.rss_kib(), server.descriptors()
    yield
    assert server.process.poll() is None, f"budgetd died:\n{server.log[-4000:]}"
    # Its connections first: one that is going still counts against a bound on them.
    eventually(lambda: server.descriptors() <= descriptors, what=f"back to {descriptors} fds")
    assert server.call(ping={}).ping.ready
    grown = server.rss_kib() - before
    assert grown <= rss_kib, f"VmRSS grew by {grown} KiB, from {before} KiB"


@pytest.fixture
def start(budgetd, tmp_path):
    """start(config, *arguments) -> Server; all are stopped properly at the end of the test."""
    with contextlib.ExitStack() as stack:
        count = iter(range(1000))

        def start_one(config, *arguments, **options):
            directory = options.pop("directory", tmp_path / f"server{next(count)}")
            return stack.enter_context(
                running(budgetd, directory, config, *arguments, **options))

        yield start_one


def run(*command, timeout=SHORT, **options):
    """Runs a program to its end; stdout and stderr are text."""
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=timeout,
        stdin=subprocess.DEVNULL, **options,
    )
