"""The real LiteLLM beside budgetd: one process of litellm_process.py, driven from a test."""

import contextlib
import json
import os
import re
import selectors
import subprocess
from pathlib import Path

import pytest

from conftest import LONG, ROOT

HERE = Path(__file__).resolve().parent
# Which LiteLLM: the one that the vectors are of, or the newest that was looked at.
NEWEST = os.environ.get("BUDGETD_LITELLM") == "newest"
VENV = Path(os.environ.get(
    "BUDGETD_LITELLM_VENV", ROOT / ".build" / ("litellm-venv-newest" if NEWEST else "litellm-venv")))
REQUIREMENTS = HERE / f"litellm-requirements{'-newest' if NEWEST else ''}.txt"
VERSION = re.search("^litellm==(.*)$", REQUIREMENTS.read_text(), re.MULTILINE)[1]


def litellm_python():
    """The Python that has LiteLLM. The only reason to skip: PyPI was out of reach."""
    installed = VENV / "requirements.txt"
    if installed.exists() and installed.read_bytes() == REQUIREMENTS.read_bytes():
        return str(VENV / "bin" / "python")
    if (VENV / "unreachable").exists():
        pytest.skip((VENV / "unreachable").read_text().strip())
    pytest.fail(f"no LiteLLM in {VENV}: run Tests/Integration/litellm_venv.sh {VENV}")


class LiteLLMPeer:
    """Ready once the constructor returns; `ahead` is how far its clock is off, in seconds."""

    def __init__(self, service, log_path, providers=None, deployments=None, tags=None,
                 namespace=None, ahead=0, address=None, startup_nodes=None, redis=None):
        environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "TZ": "UTC"}
        for name in [name for name in environment if name.startswith("REDIS_")]:
            del environment[name]
        if ahead:
            # Its wall clock alone: asyncio's timers go by the monotonic one.
            library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
            environment |= {"LD_PRELOAD": str(library), "FAKETIME": f"{ahead:+d}",
                            "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.log_path = Path(log_path)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [litellm_python(), str(HERE / "litellm_process.py")], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, env=environment)
        host, port = address or service.proxy.address
        setup = {"host": host, "port": port, "namespace": namespace, "providers": providers or {},
                 "deployments": deployments or {}, "tags": tags or {},
                 "startup_nodes": startup_nodes, "redis": redis or {}}
        self.version = None
        self.send(setup)

    def wait_until_ready(self):
        self.version = self.receive(4 * LONG)["version"]  # its imports take long
        return self

    def send(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def receive(self, timeout=LONG):
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            assert selector.select(timeout), f"LiteLLM does not answer:\n{self.log_tail()}"
        line = self.process.stdout.readline()
        assert line, f"LiteLLM ended, exit {self.process.wait()}:\n{self.log_tail()}"
        return json.loads(line)

    def ask(self, operation, **fields):
        self.send({"op": operation, **fields})
        return self.receive()

    def record(self, cost, provider=None, model_id="", tags=()):
        """One request that succeeded, through the callback that LiteLLM itself uses."""
        result = self.ask("record", cost=cost, provider=provider, model_id=model_id,
                          tags=list(tags))
        assert "error" not in result, result

    def filter(self, deployments, tags=()):
        """ids that are allowed, of [(id, model)]."""
        result = self.ask("filter", deployments=deployments, tags=list(tags))
        assert "error" not in result, result
        return result["allowed"]

    def view(self):
        return self.ask("view")

    def flushed(self):
        """Whether all that it recorded was sent to Redis."""
        return self.view()["waiting"] == 0

    def log(self):
        """Its log lines from WARNING on."""
        return self.ask("log")["lines"]

    def log_tail(self):
        return self.log_path.read_text(errors="backslashreplace")[-3000:]

    def close(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def alive(self):
        return self.process.poll() is None


@contextlib.contextmanager
def litellm_peers(service, directory, count=1, wait=True, **options):
    """`count` processes, started side by side; without `wait` they may not be ready yet."""
    peers = []
    try:
        for number in range(count):
            peers.append(LiteLLMPeer(service, Path(directory) / f"litellm{number}.log", **options))
        for peer in peers if wait else ():
            peer.wait_until_ready()
        yield peers
    finally:
        for peer in peers:
            peer.close()
