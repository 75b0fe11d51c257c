"""A consistent copy of the ledger while clients record, and what starts from it."""

import os
import re
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from conftest import LONG, OK, code_of, eventually, name_of, run
from faults import SmallDisk, inject
from ledger_clients import ACKNOWLEDGED, CONFIG, UNKNOWN, Books, Load, filters, ping, ready
from test_ledger_files import database, files

SEED = int(os.environ.get("BUDGETD_SEED", time.time_ns() % 10**6))


def by_rpc(server, _, name):
    response = server.call(backup_ledger=dict(path=name))
    assert code_of(response) == OK, response.status
    copy = Path(response.backup_ledger.path)
    assert copy.is_absolute() and response.backup_ledger.bytes == copy.stat().st_size
    return copy


def by_tool(server, budgetctl, name):
    result = run(budgetctl, "--server", "%s:%d" % server.rpc, "backup", name, timeout=LONG)
    assert result.returncode == 0, result
    found = re.fullmatch(r"copied the ledger to (/\S+), (\d+) bytes\n", result.stdout)
    assert int(found[2]) == Path(found[1]).stat().st_size
    return Path(found[1])


def restored(start, copy, source, directory):
    """A server on a directory that holds only the copy, under the ledger's name."""
    name = database(source).relative_to(source)
    (directory / "data" / name).parent.mkdir(parents=True)
    (directory / "data").chmod(0o700)
    (directory / "data" / name).write_bytes(copy.read_bytes())
    return start(CONFIG, directory=directory)


@pytest.mark.parametrize("backup", [by_rpc, by_tool])
def test_a_copy_while_writing(start, budgetctl, tmp_path, backup):
    """It opens, is sound, has all keys acknowledged before, and starts as a node."""
    server = start(CONFIG, directory=tmp_path / "node")
    books = Books(SEED)
    copies = []
    with Load(server.rpc, books, connections=4, depth=16):
        for number in range(3):
            books.wait_for(200)
            notes = tmp_path / f"copy{number}.json"
            books.write(notes)
            copy = backup(server, budgetctl, f"copy{number}.db")
            assert copy == server.directory / "data" / "backups" / f"copy{number}.db"
            assert copy.stat().st_mode & 0o777 == 0o600
            copies.append((copy, notes))
    books.audit(server)
    for number, (copy, notes) in enumerate(copies):
        base = sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)
        assert base.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        base.close()
        before = Books.read(notes)
        assert before.of(ACKNOWLEDGED)
        # Whatever was sent between the notes and the copy may be in it too: all else is unknown.
        known = {record.key for record in before.records}
        for record in books.records:
            if record.key not in known:
                later = type(record)(record.key, record.cost, *record.fields.values())
                later.state = UNKNOWN
                before.records.append(later)
        node = restored(start, copy, server.directory / "data", tmp_path / f"restored{number}")
        before.audit(node)
        node.kill()
        before.audit(start(CONFIG, directory=tmp_path / f"restored{number}"))
    books.audit(server)


def test_a_copy_of_an_empty_ledger(start, tmp_path):
    server = start(CONFIG, directory=tmp_path / "node")
    copy = by_rpc(server, None, "copy.db")
    node = restored(start, copy, server.directory / "data", tmp_path / "restored")
    assert node.spend("openai") == 0


def test_a_name_is_made_of_the_date_and_the_directory_is_the_operators(start, budgetctl, tmp_path):
    server = start(CONFIG, "--backup-dir", str(tmp_path / "copies"))
    result = run(budgetctl, "--server", "%s:%d" % server.rpc, "backup", timeout=LONG)
    assert result.returncode == 0, result
    (copy,) = (tmp_path / "copies").iterdir()
    assert re.fullmatch(r"ledger-20\d{6}-\d{6}\.sqlite", copy.name) and str(copy) in result.stdout
    assert (tmp_path / "copies").stat().st_mode & 0o777 == 0o700
    assert not (server.directory / "data" / "backups").exists()


NO_NAMES = ["/tmp/x", "../x", "a/b", ".", "..", ".x", "a\nb", "x" * 201, "x-wal", "x-journal"]


@pytest.mark.parametrize("name", NO_NAMES, ids=lambda name: repr(name)[:12])
def test_what_is_not_a_name(start, budgetctl, name):
    """Refused, with nothing touched, and the service goes on."""
    server = start(CONFIG)
    response = server.call(backup_ledger=dict(path=name))
    assert name_of(response) == "INVALID_ARGUMENT", response
    assert not (server.directory / "data" / "backups").exists()
    result = run(budgetctl, "--server", "%s:%d" % server.rpc, "backup", name, timeout=LONG)
    assert result.returncode == 1 and result.stderr.strip(), result
    assert ping(server).ready and filters(server)


@pytest.mark.parametrize("uri", [
    "file:%2Ftmp%2Fpwned.db", "file:pwned.db?mode=rwc&vfs=unix-none", "file::memory:", ":memory:"])
def test_a_name_is_never_a_uri(start, uri):
    """SQLite would write to where a URI says, with a mode of its own."""
    server = start(CONFIG)
    place = server.directory / "data" / "backups"
    copy = by_rpc(server, None, uri)
    assert copy == place / uri and list(place.iterdir()) == [copy]
    assert copy.stat().st_mode & 0o777 == 0o600
    assert not Path("/tmp/pwned.db").exists()


def test_what_is_there_is_left_alone(start, tmp_path):
    """A file, a directory, a link that leads nowhere: refused, none followed, none removed."""
    place = tmp_path / "copies"
    place.mkdir()
    (place / "file").write_text("mine")
    (place / "directory").mkdir()
    (place / "dangling").symlink_to(tmp_path / "target")
    before = files(place)
    server = start(CONFIG, "--backup-dir", str(place))
    for name in ("file", "directory", "dangling"):
        response = server.call(backup_ledger=dict(path=name))
        assert name_of(response) == "INVALID_ARGUMENT", response
        assert name in response.status.message
    assert files(place) == before and (place / "dangling").is_symlink()
    assert not (tmp_path / "target").exists()


def test_the_operators_own_files_stay(start, tmp_path):
    """A copy that a crash left half-way goes with the next one; files of others do not."""
    place = tmp_path / "copies"
    place.mkdir()
    for name in (".precious.partial", ".precious.partial-journal"):
        (place / name).write_text("mine")
    before = files(place)
    (place / ".budgetd-0123456789abcdef.partial").write_text("half")
    server = start(CONFIG, "--backup-dir", str(place))
    copy = by_rpc(server, None, "copy.db")
    copy.unlink()
    assert files(place) == before


def test_a_directory_that_is_not_to_be_had(start, tmp_path):
    (tmp_path / "file").write_text("")
    server = start(CONFIG, "--backup-dir", str(tmp_path / "file" / "copies"))
    response = server.call(backup_ledger=dict(path="x"))
    assert name_of(response) == "FAILED_PRECONDITION", response
    assert str(tmp_path / "file" / "copies") in response.status.message
    server.record("openai", 1.0)


def test_no_peer_fills_the_disk(start, tmp_path):
    """So many copies, or so little room: no further one, and none is deleted."""
    server = start(CONFIG, "--backups-kept", "3")
    place = server.directory / "data" / "backups"
    for number in range(3):
        by_rpc(server, None, f"copy{number}")
    before = files(place)
    for _ in range(5):
        response = server.call(backup_ledger=dict())
        assert name_of(response) == "FAILED_PRECONDITION", response
        assert str(place) in response.status.message and "--backups-kept" in response.status.message
    assert files(place) == before
    (place / "copy0").unlink()
    by_rpc(server, None, "copy3")
    full = start(CONFIG, "--backup-reserve-bytes", str(1 << 60))
    response = full.call(backup_ledger=dict(path="x"))
    assert name_of(response) == "FAILED_PRECONDITION", response
    assert "--backup-reserve-bytes" in response.status.message
    assert not list((full.directory / "data" / "backups").iterdir())


def test_no_room_for_a_copy(start, tmp_path):
    """Half a copy is not left behind; the ledger is fine."""
    with SmallDisk(tmp_path / "small", "1m") as disk:
        server = start(CONFIG, "--backup-dir", str(tmp_path / "small"), "--backup-reserve-bytes",
                       "0", directory=tmp_path / "node", prefix=disk.prefix)
        books = Books(SEED)
        with Load(server.rpc, books):
            books.wait_for(500)
        # The copy is begun, since by its size alone it fits, and fails on the way.
        disk.fill(leaving=(database(server.directory / "data").stat().st_size or 4096) + 8192)
        (disk.view / "filler2").write_bytes(b"\0" * 4096)
        response = server.call(backup_ledger=dict(path="copy.db"))
        while code_of(response) == OK:
            (disk.view / "copy.db").unlink()
            disk.fill(leaving=8192)
            response = server.call(backup_ledger=dict(path="copy.db"))
        assert name_of(response) == "FAILED_PRECONDITION" and response.status.message, response
        left = [path.name for path in disk.view.iterdir()]
        assert sorted(left) == ["filler", "filler2"], "half a copy is left"
        assert ready(server)
        books.audit(server)
        server.stop()


def test_two_copies_at_once(start, tmp_path):
    server = start(CONFIG, directory=tmp_path / "node")
    books = Books(SEED)
    with Load(server.rpc, books):
        books.wait_for(100)
    with server.client() as client:
        calls = [client.send(backup_ledger=dict(path="copy.db")) for _ in range(8)]
        names = [name_of(client.receive()) for _ in calls]
    assert names.count("OK") == 1, names
    assert set(names) <= {"OK", "UNAVAILABLE", "INVALID_ARGUMENT"}, names
    copy = server.directory / "data" / "backups" / "copy.db"
    node = restored(start, copy, server.directory / "data", tmp_path / "restored")
    books.audit(node)


def test_a_copy_does_not_hold_up_the_end(start, tmp_path):
    """SIGTERM in the middle of one: given up and answered, and nothing of it is left."""
    server = start(CONFIG, directory=tmp_path / "node")
    books = Books(SEED)
    with Load(server.rpc, books):
        books.wait_for(2_000)
    place = server.directory / "data" / "backups"
    with server.client() as client:
        # The file is made, and SQLite is about to open it, which takes a second.
        with inject(server, tmp_path / "trace", "openat", "delay_enter=1000000"):
            client.send(backup_ledger=dict(path="copy.db"))
            eventually(lambda: list(place.glob(".budgetd-*.partial")), LONG, "the copy's beginning")
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            response = client.receive()
        assert name_of(response) == "UNAVAILABLE", response
        assert server.process.wait(LONG) == 0, server.log
        print(f"ended after {time.monotonic() - began:.2f} s")
    assert not list(place.iterdir())
    books.audit(start(CONFIG, directory=tmp_path / "node"))
