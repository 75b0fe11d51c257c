"""A consistent copy of the ledger while clients record, and what starts from it."""

import os
import sqlite3
import time

import pytest

from conftest import LONG, OK, code_of, run
from faults import SmallDisk
from ledger_clients import ACKNOWLEDGED, CONFIG, UNKNOWN, Books, Load, filters, ping, ready
from test_ledger_files import database, files

SEED = int(os.environ.get("BUDGETD_SEED", time.time_ns() % 10**6))


def by_rpc(server, _, path):
    response = server.call(backup_ledger=dict(path=str(path)))
    assert code_of(response) == OK, response.status
    assert response.backup_ledger.bytes == path.stat().st_size


def by_tool(server, budgetctl, path):
    result = run(budgetctl, "--server", "%s:%d" % server.rpc, "backup", path, timeout=LONG)
    assert result.returncode == 0, result


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
            copy, notes = tmp_path / f"copy{number}.db", tmp_path / f"copy{number}.json"
            books.write(notes)
            backup(server, budgetctl, copy)
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
    by_rpc(server, None, tmp_path / "copy.db")
    node = restored(start, tmp_path / "copy.db", server.directory / "data", tmp_path / "restored")
    assert node.spend("openai") == 0


@pytest.mark.parametrize("kind", ["exists", "is a directory", "no such directory", "empty"])
def test_where_a_copy_cannot_go(start, budgetctl, tmp_path, kind):
    """Refused, with nothing touched, and the service goes on."""
    server = start(CONFIG, directory=tmp_path / "node")
    place = tmp_path / "place"
    path = {"exists": place / "there", "is a directory": place, "empty": "",
            "no such directory": place / "none" / "copy"}[kind]
    place.mkdir()
    (place / "there").write_text("mine")
    before = files(place)
    response = server.call(backup_ledger=dict(path=str(path)))
    assert code_of(response) != OK and response.status.message, response
    print(f"{kind}: {response.status}")
    if path:
        result = run(budgetctl, "--server", "%s:%d" % server.rpc, "backup", path, timeout=LONG)
        assert result.returncode == 1 and result.stderr.strip(), result
    assert files(place) == before
    assert ping(server).ready and filters(server)
    server.record("openai", 1.0, idempotency_key="after")


def test_a_copy_over_the_ledger_itself_is_refused(start, tmp_path):
    server = start(CONFIG, directory=tmp_path / "node")
    books = Books(SEED)
    with Load(server.rpc, books):
        books.wait_for(50)
    for path in (server.directory / "data").rglob("*"):
        assert code_of(server.call(backup_ledger=dict(path=str(path)))) != OK
    server.kill()
    books.audit(start(CONFIG, directory=tmp_path / "node"))


def test_no_room_for_a_copy(start, tmp_path):
    """Half a copy is not left behind; the ledger is fine."""
    with SmallDisk(tmp_path / "small", "1m") as disk:
        server = start(CONFIG, directory=tmp_path / "node", prefix=disk.prefix)
        books = Books(SEED)
        with Load(server.rpc, books):
            books.wait_for(500)
        disk.fill(leaving=8192)
        response = server.call(backup_ledger=dict(path=str(tmp_path / "small" / "copy.db")))
        assert code_of(response) != OK and response.status.message, response
        assert [path.name for path in disk.view.iterdir()] == ["filler"], "half a copy is left"
        assert ready(server)
        books.audit(server)
        server.stop()


def test_two_copies_at_once(start, tmp_path):
    server = start(CONFIG, directory=tmp_path / "node")
    books = Books(SEED)
    with Load(server.rpc, books):
        books.wait_for(100)
    path = str(tmp_path / "copy.db")
    with server.client() as client:
        calls = [client.send(backup_ledger=dict(path=path)) for _ in range(8)]
        codes = [code_of(client.receive()) for _ in calls]
    assert codes.count(OK) == 1, codes
    node = restored(start, tmp_path / "copy.db", server.directory / "data", tmp_path / "restored")
    books.audit(node)
