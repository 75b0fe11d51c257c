"""The real LiteLLM proxy with budgetd's plug-in, between a fake provider and a real budgetd."""

import collections
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from conftest import LONG, ROOT, eventually
from litellm_peer import NEWEST
from redis_groups import free_ports
from websockets_by_hand import WebSocket

HERE = Path(__file__).resolve().parent
SOURCES = ROOT / "proto" / "clients" / "python" / "src"
REQUIREMENTS = HERE / f"litellm-proxy-requirements{'-newest' if NEWEST else ''}.txt"
NAME = "litellm-proxy-venv-newest" if NEWEST else "litellm-proxy-venv"
VENV = Path(os.environ.get("BUDGETD_LITELLM_PROXY_VENV", ROOT / ".build" / NAME))
KEY = "sk-of-the-tests"
IN_PRICE, OUT_PRICE = 0.001, 0.002
# 10 tokens in and 5 out, unless a request says otherwise.
COST = 10 * IN_PRICE + 5 * OUT_PRICE


def proxy_program():
    """The proxy's program. The only reason to skip: PyPI was out of reach."""
    installed = VENV / "requirements.txt"
    if installed.exists() and installed.read_bytes() == REQUIREMENTS.read_bytes():
        return [str(VENV / "bin" / "python"), "-m", "litellm.proxy.proxy_cli"]
    if (VENV / "unreachable").exists():
        pytest.skip((VENV / "unreachable").read_text().strip())
    pytest.fail(f"no LiteLLM proxy in {VENV}: run Tests/Integration/litellm_venv.sh {VENV} proxy "
                ".build/litellm-venv")


def deployment(provider, identifier, group, model="openai/gpt-4o", **parameters):
    return {"model_name": group, "model_info": {"id": identifier}, "litellm_params": {
        "model": model, "api_base": provider.base(identifier), "api_key": "x",
        "input_cost_per_token": IN_PRICE, "output_cost_per_token": OUT_PRICE, **parameters}}


class Proxy:
    """A proxy; `wait` returns when it takes requests."""

    def __init__(self, directory, config, budgetd, choice, *arguments, journal=True, port=None,
                 **variables):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = port or free_ports(1)[0]
        self.config, self.budgetd, self.choice = config, budgetd, choice
        self.arguments, self.variables, self.journal = arguments, variables, journal
        self.witness_path = self.directory / "witness.jsonl"
        self.log_path = self.directory / "proxy.log"
        self.start()

    def start(self):
        (self.directory / "config.yaml").write_text(yaml.safe_dump(self.config))
        shutil.copy(HERE / "litellm_witness.py", self.directory)
        environment = {
            name: value for name, value in os.environ.items()
            if not name.startswith(("REDIS_", "BUDGETD_", "DATABASE_", "LITELLM_"))}
        environment |= {
            "PYTHONPATH": str(SOURCES), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "TZ": "UTC",
            "LITELLM_MASTER_KEY": KEY, "WITNESS": str(self.witness_path), "NO_PROXY": "*",
            "BUDGETD_ADDRESS": self.budgetd, "BUDGETD_ON_UNAVAILABLE": self.choice,
            "LITELLM_TELEMETRY": "False"}
        if self.journal:
            # A short path: it holds a socket.
            environment["BUDGETD_JOURNAL"] = f"/tmp/bdj{self.port}"
        environment |= self.variables
        environment = {name: value for name, value in environment.items() if value is not None}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*proxy_program(), "--config", str(self.directory / "config.yaml"), "--host",
                 "127.0.0.1", "--port", str(self.port), *self.arguments], stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, env=environment, start_new_session=True)

    @property
    def log(self):
        return self.log_path.read_text(errors="backslashreplace")

    def wait(self):
        def ready():
            assert self.process.poll() is None, f"the proxy ended:\n{self.log[-4000:]}"
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self.get("/health/liveliness")[0] == 200

        eventually(ready, 10 * LONG, "the proxy takes requests")
        return self

    def ask(self, path, body, timeout=LONG, **headers):
        """Status and value, of an error too."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode() if body else None,
            {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return response.status, json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            text = error.read().decode()
            with contextlib.suppress(json.JSONDecodeError):
                text = json.loads(text)
            return error.code, text

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONG)
        connection.request("GET", path, headers={"Authorization": f"Bearer {KEY}"})
        response = connection.getresponse()
        data = response.read()
        connection.close()
        with contextlib.suppress(json.JSONDecodeError):
            data = json.loads(data)
        return response.status, data

    def chat(self, model, words="hello", timeout=LONG, **fields):
        body = {"model": model, "messages": [{"role": "user", "content": words}], **fields}
        return self.ask("/v1/chat/completions", body, timeout)

    def stream(self, model, words="hello", leave_after=None, **fields):
        """Lines of a stream; `leave_after` so many the client is gone."""
        body = {"model": model, "messages": [{"role": "user", "content": words}], "stream": True,
                **fields}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONG)
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {
            "Authorization": f"Bearer {KEY}", "Content-Type": "application/json"})
        response = connection.getresponse()
        lines = []
        with contextlib.suppress(http.client.HTTPException, OSError):
            while line := response.readline():
                if line.strip():
                    lines.append(line.decode().strip())
                if leave_after is not None and len(lines) >= leave_after:
                    break
        connection.close()
        return response.status, lines

    def session(self, model, turns):
        """A realtime session of so many turns: the messages that came."""
        came = []
        with WebSocket(self.port, f"/v1/realtime?model={model}", LONG,
                       Authorization=f"Bearer {KEY}") as socket:
            assert socket.status == 101
            came.append(socket.receive())
            for _ in range(turns if came[0] and came[0]["type"] == "session.created" else 0):
                socket.send({"type": "response.create"})
                came.append(socket.receive())
        return came

    def metric(self, name):
        """A value of the plug-in's on the proxy's metrics page."""
        status, data = self.get("/metrics/")
        assert status == 200, data
        return float(re.search(rf"^budgetd_litellm_{name} (\S+)$", data.decode(), re.MULTILINE)[1])

    def events(self):
        """What LiteLLM itself wrote down."""
        if not self.witness_path.exists():
            return []
        # The last line may be half written.
        text = self.witness_path.read_text()
        return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]

    def costs(self):
        """By (scope, name), of everything that cost something."""
        sums, batches = collections.Counter(), set()
        for event in self.events():
            cost = event["cost"] or 0.0
            # A finished batch says its whole cost at each poll.
            if event.get("batch") in batches:
                continue
            if event.get("batch") and cost:
                batches.add(event["batch"])
            sums["providers", event["provider"]] += cost
            sums["deployments", event["deployment"]] += cost
            for tag in event["tags"]:
                sums["tags", tag] += cost
        return sums

    def end(self, number=signal.SIGTERM):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        try:
            self.process.wait(LONG)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def close(self):
        self.end(signal.SIGKILL)
        shutil.rmtree(f"/tmp/bdj{self.port}", ignore_errors=True)


def differences(server, *proxies):
    """Budgets on which LiteLLM's own log and budgetd differ by more than rounding of doubles."""
    sums = collections.Counter()
    for proxy in proxies:
        sums.update(proxy.costs())
    found = {}
    for scope, budgets in server.budgets().items():
        for name, budget in budgets.items():
            if abs(budget.spend_usd - sums[scope, name]) > 1e-9:
                found[scope, name] = (budget.spend_usd, sums[scope, name])
            elif budget.reserved_usd:
                found[scope, name, "reserved"] = budget.reserved_usd
    return found
