"""Sockets that listen before the process starts, and after it has ended: nobody is turned away meanwhile."""

import http.client
import os
import socket
import ssl
import subprocess
import sys
import threading

import pytest

from budget_client import Client
from certificates import Certificates
from conftest import READY, eventually, running

CONFIG = """
router_settings:
  provider_budget_config:
    openai: {budget_limit: 1000, time_period: 1d}
"""
# Moves the descriptors that it is given to 3 and so on, and becomes the program, as a supervisor does.
STARTER = """
import fcntl, os, sys
numbers = [int(text) for text in sys.argv[1].split(",")]
high = [fcntl.fcntl(number, fcntl.F_DUPFD, 100) for number in numbers]
for place, number in enumerate(high):
    os.dup2(number, 3 + place)
    os.close(number)
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.environ.setdefault("LISTEN_FDS", str(len(numbers)))
os.execvp(sys.argv[2], sys.argv[2:])
"""


def tcp(host="127.0.0.1"):
    return socket.create_server((host, 0))


def unix(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


def activated(sockets, names, **environment):
    """Options of a server that gets these sockets by these names."""
    numbers = tuple(one.fileno() for one in sockets)
    return dict(
        prefix=(sys.executable, "-c", STARTER, ",".join(map(str, numbers))), listen=(), http=None,
        descriptors=numbers, environment={"LISTEN_FDNAMES": ":".join(names), **environment})


def test_each_kind_is_served_and_outlives_the_process(budgetd, tmp_path):
    with tcp() as rpc, unix(tmp_path / "rpc.sock") as local, tcp() as pages:
        options = activated([rpc, local, pages], ["rpc", "rpc-unix", "http"])
        with running(budgetd, tmp_path / "node", CONFIG, **options) as server:
            assert server.rpc == rpc.getsockname()
            for place in (rpc.getsockname(), str(tmp_path / "rpc.sock")):
                with Client(place) as client:
                    response = client.call(record_spend=dict(provider="openai", cost_usd=1))
                    assert response.status.code == 0
            connection = http.client.HTTPConnection(*pages.getsockname(), timeout=10)
            connection.request("GET", "/readyz")
            assert connection.getresponse().status == 200
            connection.close()
        assert (tmp_path / "rpc.sock").exists(), "the file is the supervisor's"
        # Nobody listens now, and nobody is refused: who connects waits for the next one.
        with Client(rpc.getsockname()) as early, Client(str(tmp_path / "rpc.sock")) as early_too:
            early.send(record_spend=dict(provider="openai", cost_usd=1))
            with running(budgetd, tmp_path / "node", CONFIG, **options) as server:
                assert early.receive().status.code == 0
                assert early_too.call(ping={}).status.code == 0
                assert server.spend("openai") == 3


def test_a_restart_under_load_refuses_nobody(budgetd, tmp_path):
    refused, recorded, ended = [], [], threading.Event()

    def load(place):
        while not ended.is_set():
            try:
                with Client(place) as client:
                    response = client.call(record_spend=dict(provider="openai", cost_usd=1))
                    if response.status.code == 0:
                        recorded.append(1)
            except ConnectionRefusedError as error:
                refused.append(error)
            except (ConnectionError, EOFError, OSError):
                pass  # The one that was being served when the process was killed.

    with tcp() as rpc:
        options = activated([rpc], ["rpc"])
        threads = [threading.Thread(target=load, args=(rpc.getsockname(),)) for _ in range(4)]
        try:
            for thread in threads:
                thread.start()
            for _ in range(3):
                with running(budgetd, tmp_path / "node", CONFIG, **options) as server:
                    before = len(recorded)
                    eventually(lambda: len(recorded) >= before + 50, what="records")
                    server.kill()
        finally:
            ended.set()
            with running(budgetd, tmp_path / "node", CONFIG, **options) as server:
                for thread in threads:
                    thread.join(30)
                spent = server.spend("openai")
    assert not refused
    # Acknowledged, and perhaps the four that each kill cut off.
    assert len(recorded) <= spent <= len(recorded) + 4 * 4


def test_encrypted_where_the_name_says_so(budgetd, tmp_path):
    authority = Certificates(tmp_path)
    chain, key = authority.server()
    context = ssl.create_default_context(cafile=str(authority.root))
    with tcp() as rpc:
        options = activated([rpc], ["rpc-tls"])
        with running(budgetd, tmp_path / "node", CONFIG, "--tls-cert", str(chain), "--tls-key",
                     str(key), **options):
            with socket.create_connection(rpc.getsockname(), timeout=10) as plain, \
                    context.wrap_socket(plain, server_hostname="localhost") as secure:
                assert secure.version() == "TLSv1.3"


def refusal(budgetd, tmp_path, sockets, names, *arguments, **environment):
    """The exit code and the complaint of a server that does not start."""
    options = activated(sockets, names, **environment)
    (tmp_path / "config.yaml").write_text(CONFIG)
    done = subprocess.run(
        [*options["prefix"], budgetd, "--config", tmp_path / "config.yaml", "--data-dir",
         tmp_path / "data", *arguments],
        env={**os.environ, **options["environment"]}, pass_fds=options["descriptors"],
        capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


@pytest.mark.parametrize("name, said", [
    ("budgetd.socket", "the names are rpc, rpc-tls, rpc-unix and http"),
    ("rpc-unix", "call a socket of TCP rpc or rpc-tls"),
    ("rpc-tls", "give --tls-cert and --tls-key"),
    ("", "the names are"),
])
def test_a_name_that_cannot_be(budgetd, tmp_path, name, said):
    with tcp() as one:
        code, complaint = refusal(budgetd, tmp_path, [one], [name])
        assert code == 64 and said in complaint and str(one.getsockname()[1]) in complaint
        assert complaint.count("\n") == 1


def test_a_unix_socket_by_the_name_of_another(budgetd, tmp_path):
    with unix(tmp_path / "x.sock") as one:
        code, complaint = refusal(budgetd, tmp_path, [one], ["rpc"])
        assert code == 64 and "call a Unix socket rpc-unix" in complaint


def test_two_of_pages(budgetd, tmp_path):
    with tcp() as one, tcp() as two:
        code, complaint = refusal(budgetd, tmp_path, [one, two], ["http", "http"])
        assert code == 64 and "one before it is called so already" in complaint
        code, complaint = refusal(
            budgetd, tmp_path, [one], ["http"], "--http", "127.0.0.1:0")
        assert code == 64 and "give one of them" in complaint


def test_descriptors_that_do_not_listen(budgetd, tmp_path):
    with socket.socket() as quiet, socket.socket(type=socket.SOCK_DGRAM) as datagrams, \
            open(tmp_path / "file", "w") as file:
        for one, said in [(quiet, "it does not listen"), (datagrams, "not a stream socket"),
                          (file, "it is not a socket")]:
            code, complaint = refusal(budgetd, tmp_path, [one], ["rpc"])
            assert code == 64 and said in complaint and "descriptor 3 'rpc'" in complaint


def test_open_to_other_machines_as_any_other(budgetd, tmp_path):
    with tcp("0.0.0.0") as one:
        code, complaint = refusal(budgetd, tmp_path, [one], ["rpc"])
        assert code == 64 and "--insecure-network" in complaint and "--access-file" in complaint


def test_sockets_of_another_process_are_not_ours(budgetd, tmp_path):
    with tcp() as one:
        options = activated([one], ["rpc"], LISTEN_PID="1")
        options["listen"], options["http"] = "127.0.0.1:0", "127.0.0.1:0"
        with running(budgetd, tmp_path / "node", CONFIG, **options) as server:
            assert server.rpc != one.getsockname()
        code, complaint = refusal(budgetd, tmp_path, [one], ["rpc"], LISTEN_FDS="many")
        assert code == 64 and "LISTEN_FDS" in complaint and "'many'" in complaint
        assert READY.search(complaint) is None
