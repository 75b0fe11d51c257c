"""Real redis-servers that belong together, on TCP ports of 127.0.0.1: a master with a replica and
three sentinels, and a cluster. Both look to the tests of fleets like one Redis (`client`, `command`)."""

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from conftest import LONG, eventually
from redis_client import RedisClient, RedisError

SLOTS = 16384
HOST = "127.0.0.1"


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def slot_of(key):
    """The cluster slot of a key."""
    data = key.encode(errors="surrogateescape") if isinstance(key, str) else key
    opened = data.find(b"{")
    if opened >= 0:
        closed = data.find(b"}", opened)
        if closed > opened + 1:
            data = data[opened + 1:closed]
    return crc16(data) % SLOTS


def free_ports(count, offset=0):
    """Ports below the ephemeral ones that nothing listens on; with `offset` the port that much above
    each is free too."""
    found = []
    holders = []
    port = 10_000 + time.time_ns() // 1_000 % 20_000
    try:
        while len(found) < count:
            port = port + 1 if port < 31_000 else 10_000
            try:
                for number in {port, port + offset}:
                    holder = socket.socket()
                    holders.append(holder)
                    holder.bind((HOST, number))
            except OSError:
                continue
            found.append(port)
    finally:
        for holder in holders:
            holder.close()
    return found


class Process:
    """One redis-server on a port; it keeps its directory over restarts, and no data."""

    def __init__(self, port, *options, sentinel=None, password=None, tls=None):
        self.port, self.options, self.sentinel = port, options, sentinel
        # The port that others are told: the one that speaks TLS, where there is one.
        self.told = tls or port
        self.password = password
        self.directory = Path(tempfile.mkdtemp(prefix="redis-"))
        self.process = None
        if sentinel is not None:
            (self.directory / "sentinel.conf").write_text(
                f"port {port}\ndir {self.directory}\n" + sentinel)
        self.start()

    def start(self):
        words = ["redis-server"]
        if self.sentinel is not None:
            words += [self.directory / "sentinel.conf", "--sentinel"]
        else:
            words += ["--port", self.port, "--bind", HOST, "--save", "", "--appendonly", "no",
                      "--dir", self.directory, "--repl-diskless-sync-delay", "0", *self.options]
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in words], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(self.answers, LONG, f"a redis-server on {self.port}")

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
        client = RedisClient((HOST, self.port))
        if self.password:
            client("AUTH", self.password)
        return client

    def command(self, *words):
        with self.client() as client:
            return client(*words)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def role(self):
        return self.command("ROLE")[0]


class SentinelService:
    """A master, a replica and three sentinels with a password of their own."""

    NAME = "fleet"
    PASSWORD = "sentinels-own"

    def __init__(self, certificates=None):
        ports = free_ports(5)
        told, options, lines = ports, [[]] * 5, [""] * 5
        if certificates:
            told = free_ports(5)
            options = [["--tls-port", port, "--tls-replication", "yes",
                        *certificates.server_options()] for port in told]
            lines = ["".join(f"{name[2:]} {value}\n" for name, value in zip(row[::2], row[1::2]))
                     for row in options]
        self.servers = [Process(port, *row, tls=tls)
                        for port, row, tls in list(zip(ports, options, told))[:2]]
        self.servers[1].command("REPLICAOF", HOST, told[0])
        eventually(lambda: "master_link_status:up" in self.servers[1].command("INFO"), LONG,
                   "a replica in step")
        text = (f"sentinel monitor {self.NAME} {HOST} {told[0]} 2\n"
                f"sentinel down-after-milliseconds {self.NAME} 1500\n"
                f"sentinel failover-timeout {self.NAME} 4000\n"
                f"requirepass {self.PASSWORD}\n"
                f"sentinel sentinel-pass {self.PASSWORD}\n")
        self.sentinels = [
            Process(port, sentinel=more + text, password=self.PASSWORD, tls=tls)
            for port, more, tls in list(zip(ports, lines, told))[2:]]
        for sentinel in self.sentinels:
            eventually(lambda: self.knows_all(sentinel), LONG, "sentinels that know each other")

    def knows_all(self, sentinel):
        flat = sentinel.command("SENTINEL", "MASTER", self.NAME)
        fields = dict(zip(flat[::2], flat[1::2]))
        return fields["num-other-sentinels"] == "2" and fields["num-slaves"] == "1"

    @property
    def url(self):
        hosts = ",".join(f"{HOST}:{sentinel.told}" for sentinel in self.sentinels)
        return f"sentinel://{hosts}/{self.NAME}"

    def named(self):
        """The port that the first sentinel names."""
        answer = self.sentinels[0].command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.NAME)
        return int(answer[1])

    @property
    def master(self):
        port = self.named()
        return next(server for server in self.servers if server.told == port)

    def client(self):
        return self.master.client()

    def command(self, *words):
        return self.master.command(*words)

    def close(self):
        for process in (*self.sentinels, *self.servers):
            process.close()


class ClusterClient:
    """Sends each command to the master that has its key; follows MOVED and ASK."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.links = {}

    def link(self, port):
        if port not in self.links:
            self.links[port] = RedisClient((HOST, port))
        return self.links[port]

    def __call__(self, *command):
        if command[0] == "KEYS":
            return sorted(key for node in self.cluster.masters() for key in node.command(*command))
        port = self.cluster.owner(slot_of(command[1])).port
        asking = False
        for _ in range(20):
            try:
                if asking:
                    return self.link(port).many([("ASKING",), command])[1]
                return self.link(port)(*command)
            except RedisError as error:
                words = str(error).split()
                asking = words[0] == "ASK"
                if words[0] in ("MOVED", "ASK"):
                    port = int(words[2].rsplit(":", 1)[1])
                elif words[0] in ("TRYAGAIN", "CLUSTERDOWN"):
                    time.sleep(0.05)
                else:
                    raise
        raise RedisError(f"{command} was sent around")

    def hash(self, key):
        flat = self("HGETALL", key)
        return dict(zip(flat[::2], flat[1::2]))

    def keys(self):
        return self("KEYS", "*")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for link in self.links.values():
            link.close()


class ClusterService:
    """Masters, each with a replica or none, in a cluster with a node timeout of 1.5 s."""

    def __init__(self, masters=3, replicas=True, full_coverage=True, certificates=None):
        options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1500",
                   "--cluster-require-full-coverage", "yes" if full_coverage else "no",
                   "--cluster-config-file", "nodes.conf", "--cluster-replica-validity-factor", "0"]
        ports = free_ports(masters * (2 if replicas else 1), offset=10_000)
        self.tls_ports = []
        if certificates:
            # Nodes tell each client the port that speaks as it does.
            self.tls_ports = free_ports(len(ports), offset=10_000)
            options += ["--tls-cluster", "yes", "--tls-replication", "yes",
                        *certificates.server_options()]
            self.nodes = [Process(port, *options, "--tls-port", tls, tls=tls)
                          for port, tls in zip(ports, self.tls_ports)]
        else:
            self.nodes = [Process(port, *options) for port in ports]
        first = self.nodes[0]
        for place, node in enumerate(self.nodes):
            node.command("CLUSTER", "SET-CONFIG-EPOCH", place + 1)
            if node is not first:
                first.command("CLUSTER", "MEET", HOST, node.told)
        eventually(lambda: all(
            f"cluster_known_nodes:{len(self.nodes)}" in node.command("CLUSTER", "INFO")
            for node in self.nodes), LONG, "nodes that know each other")
        for place, node in enumerate(self.nodes[:masters]):
            low, high = place * SLOTS // masters, (place + 1) * SLOTS // masters - 1
            node.command("CLUSTER", "ADDSLOTSRANGE", low, high)
        for replica, master in zip(self.nodes[masters:], self.nodes):
            name = master.command("CLUSTER", "MYID")
            eventually(lambda: self.follows(replica, name), LONG, "a replica")
        eventually(self.is_whole, LONG, "a whole cluster")
        for replica in self.nodes[masters:]:
            eventually(lambda: "master_link_status:up" in replica.command("INFO"), LONG,
                       "a replica in step")

    def follows(self, replica, name):
        try:
            return replica.command("CLUSTER", "REPLICATE", name) == "OK"
        except RedisError:
            return False  # It has not heard of that node yet.

    def living(self):
        return [node for node in self.nodes if node.process.poll() is None]

    def is_whole(self):
        return all("cluster_state:ok" in node.command("CLUSTER", "INFO")
                   and "cluster_slots_assigned:16384" in node.command("CLUSTER", "INFO")
                   for node in self.living())

    @property
    def url(self):
        # The last ones: masters have to be found.
        return "cluster://" + ",".join(f"{HOST}:{node.port}" for node in self.nodes[-2:])

    def masters(self):
        return [node for node in self.living() if node.role() == "master"]

    def owner(self, slot):
        """The node that has a slot, as any of the living ones knows."""
        def find():
            for node in self.living():
                try:
                    rows = node.command("CLUSTER", "SLOTS")
                except (RedisError, OSError, EOFError):
                    continue
                for first, last, (_, port, *_rest), *_replicas in rows:
                    if first <= slot <= last:
                        for other in self.living():
                            if other.port == port:
                                return other
            return None
        return eventually(find, LONG, f"an owner of slot {slot}")

    def replica_of(self, node):
        name = node.command("CLUSTER", "MYID")
        for line in node.command("CLUSTER", "NODES").splitlines():
            fields = line.split()
            if fields[3] == name:
                port = int(fields[1].split("@")[0].rsplit(":", 1)[1])
                return next(other for other in self.nodes if other.port == port)
        return None

    def client(self):
        return ClusterClient(self)

    def command(self, *words):
        with self.client() as client:
            return client(*words)

    def begin_move(self, slot, target):
        """A slot is under way: it is its owner's, and the other one takes its keys."""
        source = self.owner(slot)
        target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.command("CLUSTER", "MYID"))
        source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", target.command("CLUSTER", "MYID"))
        return source

    def move_keys(self, source, target, *keys):
        for key in keys:
            source.command("MIGRATE", HOST, target.told, key, 0, 5000)

    def end_move(self, slot, source, target):
        name = target.command("CLUSTER", "MYID")
        for node in (target, source, *self.masters()):
            node.command("CLUSTER", "SETSLOT", slot, "NODE", name)

    def move(self, slot, target):
        """Moves a slot with all its keys."""
        source = self.begin_move(slot, target)
        while keys := source.command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            self.move_keys(source, target, *keys)
        self.end_move(slot, source, target)

    def close(self):
        for node in self.nodes:
            node.close()


@contextlib.contextmanager
def closing(service):
    try:
        yield service
    finally:
        service.close()
