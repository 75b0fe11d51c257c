"""The Python client: conformance with the cases of all clients, its syntax, its wheel, its threads,
tokens and encryption, against the real budgetd."""

import ast
import asyncio
import errno
import os
import re
import socket
import subprocess
import sys
import threading
import time
import zipfile

import pytest

from certificates import Certificates
from conftest import LONG, ROOT, config_text, eventually, run
from redis_groups import free_ports

CLIENTS = ROOT / "proto" / "clients"
SOURCES = CLIENTS / "python" / "src"
sys.path.insert(0, str(SOURCES))

from budgetd import (  # noqa: E402
    BudgetError, Candidate, Client, Closed, Denied, Invalid, SyncClient, Unavailable,
)
from budgetd._wire import Charged  # noqa: E402

CONFIG = config_text({"openai": (1.0, "1d")})
OPENAI = Candidate("d", provider="openai")


def test_it_conforms(budgetd):
    conformance = CLIENTS / "conformance"
    driver = f"{sys.executable} {conformance / 'drivers' / 'python_driver.py'}"
    done = run(sys.executable, conformance / "run.py", "--quiet", "--budgetd", budgetd,
               "--driver", driver, timeout=6 * LONG)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_line_that_a_case_guards_is_there():
    done = run(sys.executable, CLIENTS / "conformance" / "mutants.py", "--check", timeout=LONG)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", sorted(SOURCES.rglob("*.py")), ids=lambda path: path.name)
def test_the_syntax_is_that_of_python_3_9(path):
    ast.parse(path.read_text(), feature_version=(3, 9))


def test_the_wheel_holds_the_package_and_its_types(tmp_path):
    done = run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index",
                "-w", tmp_path, CLIENTS / "python", timeout=LONG)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in SOURCES.rglob("*"):
        if path.suffix in (".py", ".typed"):
            assert str(path.relative_to(SOURCES)) in names
    # Used from there alone.
    subprocess.run([sys.executable, "-S", "-c", "import budgetd; budgetd.Candidate('x')"],
                   env={"PYTHONPATH": str(wheel)}, cwd=tmp_path, check=True, timeout=LONG)


def test_threads_share_one_client(start):
    server = start(CONFIG)
    with SyncClient("%s:%d" % server.rpc, on_unavailable="closed", filter_timeout=5) as budgets:
        assert budgets.filter([OPENAI]).allowed == [0]

        def record():
            for _ in range(50):
                budgets.record(0.001, provider="openai")

        threads = [threading.Thread(target=record) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert budgets.flush(LONG) == 0
        assert budgets.budgets().providers[0].spend == pytest.approx(0.4, abs=1e-12)
        assert (budgets.stats.recorded, budgets.stats.duplicates) == (400, 0)
        budgets.record(0.6, provider="openai")
        answer = budgets.filter([OPENAI])
        assert not answer and answer.denials[0].scope_name == "provider"


def test_a_client_that_is_closed_keeps_no_thread_waiting(start):
    server = start(CONFIG)
    for _ in range(5):
        budgets = SyncClient("%s:%d" % server.rpc, on_unavailable="open", filter_timeout=5)
        asked, ends = threading.Semaphore(0), []

        def ask():
            try:
                while True:
                    budgets.filter([OPENAI])
                    asked.release()
            except BudgetError as error:
                ends.append(error)

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            assert asked.acquire(timeout=LONG)
        budgets.close()
        for thread in threads:
            thread.join(LONG)
        assert len(ends) == 8 and all(isinstance(one, Closed) for one in ends), ends


def test_after_a_fork_the_child_is_told(start, tmp_path):
    """It has neither the loop's thread nor its connection; what is owed is the parent's."""
    server = start(CONFIG)
    journal = tmp_path / "journal"
    with SyncClient("%s:%d" % server.rpc, on_unavailable="open", filter_timeout=5,
                    journal=str(journal)) as budgets:
        assert budgets.filter([OPENAI]).allowed == [0]
        child = os.fork()
        if child == 0:
            told = 0
            for ask in (lambda: budgets.filter([OPENAI]), budgets.ping, budgets.flush,
                        lambda: budgets.record(0.5, provider="openai")):
                try:
                    ask()
                except Invalid as error:
                    told += "before this process was forked" in str(error)
            os._exit(told + budgets.close())
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4
        budgets.record(0.25, provider="openai")
        assert budgets.flush(LONG) == 0
        assert budgets.budgets().providers[0].spend == 0.25
        assert len(list(journal.iterdir())) == 2
    assert list(journal.iterdir()) == []


def test_a_client_in_another_loop_is_told(start, tmp_path):
    """Its answers would come to the loop in which it was first used. What is owed stays in the journal."""
    server, journal = start(CONFIG), tmp_path / "journal"
    budgets = Client("%s:%d" % server.rpc, on_unavailable="open", journal=str(journal))

    async def ask():
        return (await budgets.filter([OPENAI])).allowed

    async def owe():
        budgets.record(0.25, provider="openai")

    assert asyncio.run(ask()) == [0]
    for again in (lambda: asyncio.run(ask()), lambda: asyncio.run(budgets.flush()),
                  lambda: asyncio.run(owe()), lambda: budgets.record(0.25, provider="openai")):
        with pytest.raises(Invalid, match="belongs to another event loop"):
            again()
    assert asyncio.run(budgets.close()) == 0
    assert list(journal.iterdir()) == []


def test_a_name_whose_first_address_takes_no_connection(start):
    """The others have to get their share of the time."""
    server = start(CONFIG)
    # A queue that is full: the system answers no further connection.
    deaf = socket.create_server(("127.0.0.2", server.rpc[1]), backlog=0)
    waiting = []
    for _ in range(4):
        waiting.append(socket.socket())
        waiting[-1].setblocking(False)
        waiting[-1].connect_ex(deaf.getsockname())

    async def ask():
        async def resolve(_, port, **__):
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))
                    for host in ("127.0.0.2", "127.0.0.1")]

        asyncio.get_running_loop().getaddrinfo = resolve
        async with Client("budgets.example:%d" % server.rpc[1], on_unavailable="closed",
                          filter_timeout=5) as budgets:
            return (await budgets.filter([OPENAI])).allowed

    assert asyncio.run(ask()) == [0]
    for one in (deaf, *waiting):
        one.close()


def test_over_tls_with_a_token(start, tmp_path, budgetctl):
    made = Certificates(tmp_path / "certificates")
    certificate, key = made.server()
    done = run(budgetctl, "access", "new", "router", "--role", "spend")
    token = re.search(r"^bd_\S+$", done.stdout, re.MULTILINE)[0]
    entry = done.stdout[done.stdout.index("  - name"):]
    access = tmp_path / "access.yaml"
    access.write_text("clients:\n" + entry)
    access.chmod(0o600)
    server = start(CONFIG, "--tls-cert", str(certificate), "--tls-key", str(key),
                   "--access-file", str(access))
    file = tmp_path / "token"
    file.write_text(token + "\n")
    address = "localhost:%d" % server.rpc[1]

    async def ask(**options):
        async with Client(address, on_unavailable="closed", filter_timeout=5, **options) as budgets:
            assert (await budgets.filter([OPENAI])).allowed == [0]
            return (await budgets.ping()).role

    assert asyncio.run(ask(tls_ca=str(made.root), token_file=str(file))) == "spend"
    with pytest.raises(Unavailable, match="UNAUTHENTICATED"):
        asyncio.run(ask(tls_ca=str(made.root), token="x" * 40))
    other, _ = made.new_root("other")
    with pytest.raises(Unavailable, match="no encrypted connection to localhost"):
        asyncio.run(ask(tls_ca=str(other), token_file=str(file)))
    file.write_text("")
    with pytest.raises(Invalid, match="is empty"):
        asyncio.run(ask(tls_ca=str(made.root), token_file=str(file)))


def test_encryption_is_not_forgotten_half():
    """The token would go in the clear."""
    for options, words in (
        ({"server_name": "b"}, "need tls_ca: give"), ({"tls_cert": "c"}, "need tls_ca: give"),
        ({"tls_cert": "c", "tls_key": "k"}, "need tls_ca: give"),
        ({"tls_ca": ""}, "tls_ca is empty: give"),
    ):
        with pytest.raises(Invalid, match=words):
            Client("127.0.0.1:1", on_unavailable="open", token="x" * 40, **options)


def test_over_a_unix_socket(start, tmp_path):
    path = tmp_path / "socket"
    start(CONFIG, listen=["127.0.0.1:0", f"unix:{path}"])

    async def ask():
        async with Client(f"unix:{path}", on_unavailable="closed", filter_timeout=5) as budgets:
            return (await budgets.filter([OPENAI])).allowed

    assert asyncio.run(ask()) == [0]


def test_a_loop_that_stalls_uses_up_nobodys_time(start):
    """A deadline counts from the write, and an answer that has come is looked at first."""
    server = start(CONFIG)

    async def ask():
        async with Client("%s:%d" % server.rpc, on_unavailable="closed") as budgets:
            await budgets.ping()
            asked = asyncio.ensure_future(budgets.filter([OPENAI]))
            asyncio.get_running_loop().call_soon(time.sleep, 0.3)  # before it is written
            first = await asked
            asked = asyncio.ensure_future(budgets.filter([OPENAI]))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            time.sleep(0.3)  # while its answer comes
            return first, await asked, budgets.stats.unavailable

    first, second, unavailable = asyncio.run(ask())
    assert (first.allowed, second.allowed, unavailable) == ([0], [0], 0)


def test_a_server_that_does_not_read_takes_nobodys_time():
    """Its socket is full: what cannot be written has a deadline too."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    async def ask():
        budgets = Client("127.0.0.1:%d" % listener.getsockname()[1], on_unavailable="open",
                         filter_timeout=0.3, record_timeout=0.3)
        candidate = Candidate("x" * 50_000)
        asked = [asyncio.ensure_future(budgets.filter([candidate])) for _ in range(200)]
        await asyncio.sleep(0.1)
        asked += [asyncio.ensure_future(budgets.filter([candidate])) for _ in range(200)]
        answers = await asyncio.wait_for(asyncio.gather(*asked), LONG)
        await budgets.close(0)
        return answers

    with listener:
        answers = asyncio.run(ask())
    assert all(one.allowed == [0] and "no answer from" in one.unavailable for one in answers)


def test_a_hold_is_released_where_it_is_left(start):
    server = start(CONFIG)

    async def ask():
        async with Client("%s:%d" % server.rpc, on_unavailable="closed", reserve_timeout=5,
                          filter_timeout=5) as budgets:
            if "reserve_spend" not in (await budgets.ping()).methods:
                pytest.skip("this budgetd has no reserve_spend")
            async with budgets.reserve([OPENAI], amount=0.75) as hold:
                assert hold.chosen == 0
                with pytest.raises(Denied):
                    await budgets.reserve(provider="openai", amount=0.5)
            assert await budgets.flush(LONG) == 0
            async with budgets.reserve([OPENAI], amount=0.75) as hold:
                hold.settle(0.25)
            assert await budgets.flush(LONG) == 0
            (budget,) = (await budgets.budgets()).providers
            assert (budget.spend, budget.reserved) == (0.25, 0.0)

    asyncio.run(ask())


FULL_DISK = """
import resource, sys
from budgetd import _journal

def full(bytes):
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes, resource.RLIM_INFINITY))

def body(key):
    return b"Z" + bytes((2 + len(key),)) + b"2" + bytes((len(key),)) + key.encode()

full(10)
journal = _journal.Journal(sys.argv[1])
journal.owe("one", "a:1", body("one"))
journal.done("one")
journal.owe("two", "a:1", body("two"))
full(resource.RLIM_INFINITY)
journal.owe("three", "a:1", body("three"))
with open(journal._path(".journal"), "rb") as file:
    print(*_journal.read(file.read()))
"""


def test_a_journal_that_begins_on_a_full_disk(tmp_path):
    """Its header has room later, before the entries, which wait for it."""
    done = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path / "j"], capture_output=True,
                          text=True, env={"PYTHONPATH": str(SOURCES)}, timeout=LONG)
    assert done.stdout == "two three\n", done.stderr
    assert len(list((tmp_path / "j").iterdir())) == 2


def test_a_journal_that_cannot_be_opened_leaves_nothing(tmp_path, monkeypatch):
    def full(path, *arguments, really=os.open):
        if str(path).endswith(".journal"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return really(path, *arguments)

    monkeypatch.setattr(os, "open", full)
    for _ in range(2):
        with pytest.raises(Invalid, match="cannot be used: No space left"):
            Client("127.0.0.1:1", on_unavailable="open", journal=str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    long = str(tmp_path) + "x" * 80
    with pytest.raises(Invalid, match=f"its path has {len(long)} bytes, at most 80"):
        Client("127.0.0.1:1", on_unavailable="open", journal=long)
    assert not os.path.exists(long)


def test_a_record_of_several_processes_waits_for_its_address(start):
    """Another may have recorded it there: at the address that answers it would count twice."""
    server, away = start(CONFIG), "127.0.0.1:%d" % free_ports(1)[0]

    async def ask():
        async with Client(["%s:%d" % server.rpc, away], on_unavailable="open", longest_pause=0.2,
                          call_timeout=LONG) as budgets:
            for number in range(20):
                budgets._record_once(0.01, f"batch:{number}", print, Charged("openai"))
            owed = await budgets.flush(2)
            assert 0 < owed < 20
            (budget,) = (await budgets.budgets()).providers
            assert budget.spend == pytest.approx(0.01 * (20 - owed))
            other = await asyncio.to_thread(start, CONFIG, listen=away)
            assert await budgets.flush(LONG) == 0
            assert other.spend("openai") == pytest.approx(0.01 * owed)

    asyncio.run(ask())


class Relay:
    """Between a client and a server in the same loop; answers come `late` seconds late, or never."""

    def __init__(self, late=None, server=None):
        self.late, self.server, self.count, self.ends = late, server, 0, 0

    async def __aenter__(self):
        self.listener = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.address = "127.0.0.1:%d" % self.listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.listener.close()

    async def serve(self, reader, writer):
        self.count += 1
        answers = None
        if self.server is not None:
            far, onward = await asyncio.open_connection(*self.server)
            answers = asyncio.ensure_future(self.answer(far, writer))
        while data := await reader.read(1 << 16):
            if answers is not None:
                onward.write(data)
        self.ends += 1
        if answers is not None:
            answers.cancel()
            onward.close()
        writer.close()

    async def answer(self, far, writer):
        while data := await far.read(1 << 16):
            await asyncio.sleep(self.late)
            writer.write(data)


async def becomes(condition):
    for _ in range(10 * LONG):
        if condition():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it does not become so")


@pytest.mark.parametrize("candidates", [[OPENAI], None], ids=["candidates", "named"])
def test_a_reservation_whose_caller_is_cancelled_is_given_back(start, candidates):
    """The answer that comes later names a hold that nobody else knows."""
    server = start(CONFIG)

    async def ask():
        async with Relay(0.5, server.rpc) as relay, Client(
                relay.address, on_unavailable="closed", reserve_timeout=LONG,
                call_timeout=LONG) as budgets:
            await budgets.ping()

            async def hold():
                async with budgets.reserve(candidates, provider="openai", amount=0.75):
                    raise AssertionError("it was not cancelled")

            asked = asyncio.ensure_future(hold())
            await asyncio.to_thread(eventually, lambda: held(server) == 0.75, LONG)
            assert not asked.done()
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            await asyncio.to_thread(eventually, lambda: held(server) == 0, LONG)

    asyncio.run(ask())


def held(server):
    return server.budgets()["providers"]["openai"].reserved_usd


def test_a_client_that_is_closed_makes_no_new_connection():
    async def ask():
        async with Relay() as relay:
            budgets = Client(relay.address, on_unavailable="open", filter_timeout=LONG)
            asked = asyncio.ensure_future(budgets.filter([OPENAI]))
            await becomes(lambda: relay.count == 1)
            await budgets.close(0)
            with pytest.raises(Closed):
                await asyncio.wait_for(asked, LONG)
            await becomes(lambda: relay.ends == 1)
            await asyncio.sleep(0.2)
            assert relay.count == 1

    asyncio.run(ask())


def test_a_connection_whose_token_nobody_judges_is_closed():
    async def ask():
        async with Relay() as relay, Client(relay.address, on_unavailable="closed", token="x" * 40,
                                            connect_timeout=0.2) as budgets:
            with pytest.raises(Unavailable, match="no answer from"):
                await budgets.filter([OPENAI])
            await becomes(lambda: relay.ends == relay.count)

    asyncio.run(ask())
