"""Private redis-servers on Unix sockets, each behind a proxy with an address that stays."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from conftest import LONG, eventually
from fault_proxy import FaultProxy
from redis_client import RedisClient, RedisError


class RedisServer:
    """One redis-server process; it keeps nothing on disk, so a restart is empty."""

    def __init__(self, *options, environment=None):
        # Not below pytest's directory: a Unix socket's path has 107 bytes at most.
        self.directory = Path(tempfile.mkdtemp(prefix="redis-"))
        self.socket = self.directory / "socket"
        self.options, self.environment = options, environment or {}
        self.process = None
        self.start()

    def start(self):
        self.socket.unlink(missing_ok=True)
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--save", "",
                 "--appendonly", "no", "--dir", str(self.directory), "--enable-debug-command",
                 "yes", "--repl-diskless-sync-delay", "0", *self.options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **self.environment})
        eventually(self.answers, LONG, f"redis-server, {self.log()[-500:]}")

    def answers(self):
        assert self.process.poll() is None, f"redis-server ended:\n{self.log()[-2000:]}"
        try:
            return self.command("PING") == "PONG"
        except RedisError as error:
            return "NOAUTH" in str(error)
        except (OSError, EOFError):
            return False

    def log(self):
        return (self.directory / "log").read_text(errors="backslashreplace")

    def client(self):
        return RedisClient(self.socket)

    def command(self, *command):
        """One command, on a connection of its own."""
        with self.client() as client:
            return client(*command)

    def kill(self):
        """SIGKILL: everything in memory is gone."""
        self.process.kill()
        self.process.wait()

    def restart(self):
        self.kill()
        self.start()

    def pause(self):
        """SIGSTOP: the kernel still takes connections and bytes, nobody answers."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def follow(self, host, port):
        """Becomes a replica of what answers there, and waits until it has it all."""
        self.command("REPLICAOF", host, port)
        eventually(lambda: self.replication()["master_link_status"] == "up", LONG,
                   "replica in step")

    def promote(self):
        self.command("REPLICAOF", "NO", "ONE")

    def replication(self):
        with self.client() as client:
            return client.info("replication")

    def close(self):
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


class RedisService:
    """What nodes see as one Redis: a server behind a proxy, and what can happen to both."""

    def __init__(self, *options, environment=None):
        self.options, self.environment = options, environment
        self.server = RedisServer(*options, environment=environment)
        self.replica = None
        self.link = None  # the primary as its replica sees it
        self.proxy = FaultProxy(self.server.socket)

    @property
    def url(self):
        return self.proxy.url

    def client(self):
        """Past the proxy: sees Redis whatever the nodes see."""
        return self.server.client()

    def command(self, *command):
        return self.server.command(*command)

    def restart_empty(self):
        self.server.restart()
        self.proxy.reset()

    def add_replica(self):
        """A replica with all that the primary has."""
        self.replica = RedisServer(*self.options, environment=self.environment)
        self.link = FaultProxy(self.server.socket)
        self.replica.follow("127.0.0.1", self.link.port)
        # One write that has arrived says that replication runs.
        self.replicated()

    def replicated(self):
        """Waits until the replica has what the primary had at this moment."""
        offset = int(self.server.replication()["master_repl_offset"])
        eventually(lambda: int(self.replica.replication()["slave_repl_offset"]) >= offset, LONG,
                   "replica has all")

    def part_replica(self):
        """From now on the replica misses what is written."""
        self.link.freeze()

    def fail_over(self):
        """The primary dies; the replica, as it is, answers at the same address."""
        self.server.kill()
        self.replica.promote()
        self.proxy.retarget(self.replica.socket)
        self.server.close()
        self.link.close()
        self.server, self.replica, self.link = self.replica, None, None

    def close(self):
        self.proxy.close()
        if self.link:
            self.link.close()
        for server in (self.server, self.replica):
            if server:
                server.close()


@contextlib.contextmanager
def redis_service(*options, environment=None):
    service = RedisService(*options, environment=environment)
    try:
        yield service
    finally:
        service.close()
