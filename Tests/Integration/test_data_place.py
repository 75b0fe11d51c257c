"""Where spend is kept when nobody says where, and where deploy/run keeps it."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from budget_client import Client
from conftest import LONG, OK, READY, ROOT, address, code_of, config_text, eventually

CONFIG = config_text({"openai": (10.0, "1d")}, {"team red": (5.0, "1d")},
                     [("d-1", "g", "openai/gpt-4o", 3, "1d")])
NOBODY = 65_534


class User:
    """Runs budgetd as a user with a home: as somebody else where the tests run as root."""

    def __init__(self, budgetd, folder):
        self.folder = folder
        self.identity = {}
        self.program = budgetd
        for name in ("home", "here", "elsewhere"):
            (folder / name).mkdir()
        (folder / "config.yaml").write_text(CONFIG)
        if os.geteuid() == 0:
            self.program = shutil.copy(budgetd, folder / "budgetd")
            for path in (folder, *folder.iterdir()):
                os.chown(path, NOBODY, NOBODY)
            self.identity = dict(user=NOBODY, group=NOBODY, extra_groups=[])
        self.processes = []

    def start(self, *arguments, folder="here", program=None, **variables):
        """(process, ready line) once it is ready; (exit code, standard error) where it ends."""
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("BUDGETD_", "XDG_"))}
        output, log = (self.folder / f"{len(self.processes)}.{kind}" for kind in ("out", "err"))
        command = program or [self.program, "--config", str(self.folder / "config.yaml"),
                              "--listen", "127.0.0.1:0", "--http", "off"]
        with open(output, "wb") as out, open(log, "wb") as err:
            process = subprocess.Popen(
                [*command, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                cwd=self.folder / folder, **self.identity,
                env={**environment, "HOME": str(self.folder / "home"), **variables})
        self.processes.append(process)

        def state():
            if process.poll() is not None:
                return process.returncode, log.read_text()
            ready = READY.search(output.read_text())
            return ready and (process, ready)

        result = eventually(state, LONG, f"{command} is ready or ends")
        self.output = output
        return result

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                assert process.wait(LONG) == 0


@pytest.fixture
def user(budgetd):
    with tempfile.TemporaryDirectory(prefix="budgetd-test-") as folder:
        user = User(budgetd, Path(folder))
        try:
            yield user
        finally:
            for process in user.processes:
                if process.poll() is None:
                    process.kill()
                    process.wait()


def data(ready):
    """The data directory that a ready line names."""
    pairs = dict(pair.split("=", 1) for pair in ready["more"].split())
    return re.sub(r"%([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), pairs["data"])


def spend(ready):
    with Client(address(ready["rpc"])) as client:
        response = client.call(get_provider_budgets={})
        return response.get_provider_budgets.providers[0].spend_usd


@pytest.mark.parametrize("variable, place", [
    ("XDG_STATE_HOME", "state/budgetd"), (None, "home/.local/state/budgetd")])
def test_spend_is_found_again_from_another_folder(user, variable, place):
    variables = {variable: str(user.folder / "state")} if variable else {}
    _, ready = user.start(**variables)
    assert data(ready) == str(user.folder / place)
    with Client(address(ready["rpc"])) as client:
        assert code_of(client.call(record_spend=dict(provider="openai", cost_usd=2.5))) == OK
    user.end()
    assert (user.folder / place / "ledger.sqlite").exists()
    assert not list((user.folder / "here").iterdir())
    _, ready = user.start(folder="elsewhere", **variables)
    assert spend(ready) == 2.5
    user.end()


def test_a_ledger_that_would_be_forgotten(user):
    """As version 0.2 kept it: in ./budgetd-data."""
    _, ready = user.start("--data-dir", "./budgetd-data")
    former = user.folder / "here" / "budgetd-data"
    assert data(ready) == str(former)
    with Client(address(ready["rpc"])) as client:
        assert code_of(client.call(record_spend=dict(provider="openai", cost_usd=2.5))) == OK
    user.end()
    place = user.folder / "home/.local/state/budgetd"
    code, text = user.start()
    assert code == 69 and len(text.splitlines()) == 1, text
    assert str(former) in text and str(place) in text and "--data-dir" in text
    assert not place.exists()
    # Either way out of it.
    _, ready = user.start("--data-dir", former, folder="elsewhere")
    assert spend(ready) == 2.5
    user.end()
    place.parent.mkdir(parents=True)
    former.rename(place)
    _, ready = user.start()
    assert (spend(ready), data(ready)) == (2.5, str(place))
    user.end()


def test_a_folder_with_a_blank_is_one_word_of_the_ready_line(user):
    _, ready = user.start("--data-dir", "a b%c")
    assert data(ready) == str(user.folder / "here" / "a b%c")
    user.end()


def test_nothing_says_where(user):
    code, text = user.start(HOME="")
    assert code == 64 and "--data-dir" in text and "XDG_STATE_HOME" in text


# --- deploy/run

@pytest.fixture
def checkout(user, budgetd, budgetctl):
    """A folder with deploy/run in it, the binaries built already."""
    root = user.folder / "checkout"
    (root / "deploy").mkdir(parents=True)
    for name in ("run", "example.config.yaml"):
        shutil.copy(ROOT / "deploy" / name, root / "deploy" / name)
    user.identity = {}

    def run(*arguments, **variables):
        return user.start(
            *arguments, program=["bash", str(root / "deploy" / "run")], BUDGETD_BIN=budgetd,
            BUDGETCTL_BIN=budgetctl, **variables)

    return root, run


def test_run_takes_paths_from_the_callers_folder(user, checkout):
    root, run = checkout
    (user.folder / "here" / "my.yaml").write_text(CONFIG)
    (user.folder / "here" / "map.yaml").write_text("a-model: openai\n")
    for arguments in (["--config", "my.yaml", "--data-dir=kept here", "--provider-map", "map.yaml"],
                      ["--config=./my.yaml", "--data-dir", "kept here", "--provider-map=map.yaml"]):
        _, ready = run(*arguments, "--listen", "127.0.0.1:0", "--http", "off")
        assert data(ready) == str(user.folder / "here" / "kept here")
        hints = user.output.read_text()
        assert "id=d-1,model=openai/gpt-4o" in hints and "--provider openai" in hints
        assert r"--tag team\ red" in hints
        assert "gpt-4o-azure-eu" not in hints and "chat-bot" not in hints
        user.end()
    assert not (root / "budgetd-data").exists()


def test_run_keeps_its_data_in_the_checkout_and_serves_the_example(user, checkout):
    root, run = checkout
    _, ready = run(BUDGETD_LISTEN="127.0.0.1:0", BUDGETD_HTTP="off")
    assert data(ready) == str(root / "budgetd-data")
    assert "gpt-4o-openai" in user.output.read_text()
    user.end()
    _, ready = run(BUDGETD_CONFIG="../config.yaml", BUDGETD_DATA_DIR="data",
                   BUDGETD_LISTEN="127.0.0.1:0", BUDGETD_HTTP="off")
    assert data(ready) == str(user.folder / "here" / "data")
    assert "id=d-1" in user.output.read_text()
    user.end()


def test_runs_hints_name_the_address(user, checkout):
    import socket
    _, run = checkout
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    _, ready = run("--listen", f"127.0.0.1:{port}", "--http", "off")
    hints = [line for line in user.output.read_text().splitlines() if "budgetctl" in line]
    assert len(hints) == 3 and all(f" --server 127.0.0.1:{port}" in hint for hint in hints), hints
    user.end()
