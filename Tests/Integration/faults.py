"""What breaks a running budgetd from outside: strace, a shim that loses what was not synced, small
disks. Everything is undone at the end of its `with` block."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import LONG, SHORT, eventually

HERE = Path(__file__).resolve().parent
SYNCS = "fdatasync,fsync"


class Trace:
    """An strace of a running process, all threads of it, from now on."""

    def __init__(self, server, output, *arguments):
        self.server, self.output = server, Path(output)
        self.output.write_text("")
        self.messages = self.output.with_suffix(".strace")
        command = ["strace", "-f", "-o", str(self.output), *arguments, "-p", str(server.pid)]
        try:
            with open(self.messages, "wb") as messages:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=messages, stderr=messages)
        except FileNotFoundError:
            pytest.fail("these tests need strace (apt-get install strace)")
        eventually(self.attached, LONG, "strace attached")

    def attached(self):
        text = self.messages.read_text()
        if "attached" in text:
            return True
        if self.process.poll() is not None:
            pytest.fail(f"strace cannot attach to budgetd: {text.strip()!r}; root may, and so may"
                        " others where /proc/sys/kernel/yama/ptrace_scope is 0")
        return False

    def text(self):
        return self.output.read_text(errors="backslashreplace")

    def injected(self):
        """How many system calls were interfered with so far."""
        return self.text().count("(INJECTED)") + self.text().count("(DELAYED)")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.detach()

    def detach(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(LONG)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def inject(server, output, calls, what):
    """strace that interferes with `calls`, counted per thread from now on."""
    return Trace(server, output, "-e", f"trace={calls}", "-e", f"inject={calls}:{what}")


class Shim:
    """drop_unsynced.so: what a process wrote under `directory` and did not sync is gone with it."""

    def __init__(self, library, directory):
        self.library, self.directory = library, directory

    def environment(self, **settings):
        """Variables for the process: LIES=1 makes a sync do nothing; LEAK=30 lets that many per
        cent of the pages reach the disk early, in any order; DELAY=400 has a sync take that many
        milliseconds; SHORT=30 cuts that many per cent of the writes in half; SEED."""
        more = {f"DROP_UNSYNCED_{name}": str(value) for name, value in settings.items()}
        return {"LD_PRELOAD": str(self.library),
                "DROP_UNSYNCED": os.path.realpath(self.directory), **more}


def build_shim(directory):
    library = Path(directory) / "drop_unsynced.so"
    subprocess.run(
        ["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread",
         "-o", str(library), str(HERE / "drop_unsynced.c"), "-ldl"], check=True)
    return library


class SmallDisk:
    """A tmpfs of `size` on `directory`, seen by processes started with `prefix`; as root or, where
    user namespaces are allowed, as anyone."""

    def __init__(self, directory, size):
        directory.mkdir(parents=True)
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        script = 'mount -t tmpfs -o "size=$2,mode=0700" tmpfs "$1" && echo mounted && exec cat'
        self.holder = subprocess.Popen(
            ["unshare", "--mount", *user, "sh", "-c", script, "sh", str(directory), size],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        line = self.holder.stdout.readline()
        if line != "mounted\n":
            self.close()
            pytest.fail(f"cannot mount a tmpfs here, as root or in a user namespace: {line!r}")
        enter = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        self.prefix = ("nsenter", f"--target={self.holder.pid}", "--mount", *enter)
        self.view = Path(f"/proc/{self.holder.pid}/root{directory.resolve()}")

    def fill(self, leaving):
        """Takes all room but `leaving` bytes; returns the file to remove."""
        filler = self.view / "filler"
        room = os.statvfs(self.view)
        with open(filler, "wb") as file:
            file.write(b"\0" * max(0, room.f_bavail * room.f_frsize - leaving))
        return filler

    def close(self):
        self.holder.stdin.close()
        self.holder.wait(SHORT)
        self.holder.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@contextlib.contextmanager
def stand_in(running, directory, config, mistake, *arguments, environment=None):
    """The small ledger of stand_in.py with a mistake, as a Server."""
    with running(str(HERE / "stand_in.py"), directory, config, *arguments,
                 prefix=(sys.executable,),
                 environment={"STAND_IN_MISTAKE": mistake, **(environment or {})}) as server:
        yield server
