"""Data directories that a service must not start with, and what it says: exit 69 or 78, one clear
line, nothing touched. And one service per directory."""

import hashlib
import os
import random
import re
import sqlite3
import subprocess
import time

import pytest

from conftest import READY, SHORT, eventually, run, running
from ledger_clients import CONFIG, Books, LedgerFault, Load, ping

SEED = int(os.environ.get("BUDGETD_SEED", time.time_ns() % 10**6))
MAGIC = b"SQLite format 3\0"
LOGGED = re.compile(r"^\d{4}-\d\d-\d\dT\S+ (info|notice) ")
NO_WAY_IN = 69
BAD_DATA = (69, 78)


def files(directory):
    """{name: hash} of all but the lock, whose content is the pid of who looked last."""
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(directory.rglob("*"))
            if path.is_file() and "lock" not in path.name.lower()}


def database(directory):
    """The one SQLite file in it."""
    found = [path for path in directory.rglob("*")
             if path.is_file() and "backups" not in path.parts
             and path.read_bytes()[:16] == MAGIC]
    assert len(found) == 1, f"{found} in {list(directory.rglob('*'))}"
    return found[0]


def refused(program, directory, codes, *says, prefix=(), data=None):
    """budgetd does not start on `directory`/data; returns its one line."""
    config = directory / "config.yaml"
    config.write_text(CONFIG)
    try:
        result = run(*prefix, program, "--config", config, "--listen", "127.0.0.1:0", "--http",
                     "127.0.0.1:0", "--data-dir", data or directory / "data", timeout=SHORT)
    except subprocess.TimeoutExpired as started:
        raise AssertionError(f"it started: {started.stdout}, {started.stderr}") from None
    assert result.returncode in codes, result
    assert not READY.search(result.stdout)
    lines = [line for line in result.stderr.strip().splitlines() if not LOGGED.match(line)]
    assert len(lines) == 1 and len(lines[0]) < 1000 and lines[0].isprintable(), result.stderr
    for word in says:
        assert word.lower() in lines[0].lower(), f"{word!r} is not in {lines[0]!r}"
    print(f"exit {result.returncode}: {lines[0]}")
    return lines[0]


@pytest.fixture
def node(start, tmp_path):
    """A directory with a ledger of some hundred keys, cleanly closed, and its books."""
    books = Books(SEED)
    server = start(CONFIG, directory=tmp_path / "node")
    with Load(server.rpc, books):
        books.wait_for(500)
    books.audit(server)
    server.stop()
    return tmp_path / "node", books


def test_the_directory_is_made_private(start, tmp_path):
    server = start(CONFIG)
    data = server.directory / "data"
    assert data.stat().st_mode & 0o777 == 0o700


def cut(path, keep):
    with open(path, "r+b") as file:
        file.truncate(keep)


def damage_half(path):
    cut(path, path.stat().st_size // 2)


def damage_in_a_page(path):
    cut(path, path.stat().st_size - 1000)


def damage_to_nothing_but_a_header(path):
    cut(path, 50)


def damage_magic(path):
    flip(path, 3)


def damage_first_page_kind(path):
    flip(path, 100)


def damage_every_page_kind(path):
    size = int.from_bytes(path.read_bytes()[16:18], "big")
    for page in range(1, path.stat().st_size // size):
        flip(path, page * size)


def damage_middle(path):
    """A page of noise."""
    size = int.from_bytes(path.read_bytes()[16:18], "big")
    page = path.stat().st_size // size // 2
    with open(path, "r+b") as file:
        file.seek(page * size)
        file.write(random.Random(SEED).randbytes(size))


def flip(path, at, bit=0):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << bit]))


def replace_by_text(path):
    path.write_text("this is no database\n" * 500)


def replace_by_foreign(path):
    path.unlink()
    base = sqlite3.connect(path)
    base.executescript("CREATE TABLE song(title TEXT); INSERT INTO song VALUES('x');"
                       "PRAGMA application_id=1179011410;")
    base.close()


def replace_by_foreign_without_id(path):
    path.unlink()
    base = sqlite3.connect(path)
    base.executescript("CREATE TABLE song(title TEXT); INSERT INTO song VALUES('x');")
    base.close()


def make_newer(path):
    base = sqlite3.connect(path)
    (version,) = base.execute("PRAGMA user_version").fetchone()
    base.execute(f"PRAGMA user_version={version + 1}")
    base.close()


@pytest.mark.parametrize("damage", [
    damage_half, damage_in_a_page, damage_to_nothing_but_a_header, damage_magic,
    damage_first_page_kind, damage_every_page_kind, damage_middle, replace_by_text,
    replace_by_foreign, replace_by_foreign_without_id, make_newer], ids=lambda f: f.__name__)
def test_a_ledger_that_is_damaged_or_not_ours(budgetd, start, node, damage):
    directory, books = node
    path = database(directory / "data")
    whole = path.read_bytes()
    damage(path)
    before = files(directory / "data")
    refused(budgetd, directory, BAD_DATA, path.name)
    assert files(directory / "data") == before, "a file was touched"
    # What it says to do can be done: with the file as it was it starts.
    path.write_bytes(whole)
    for leftover in path.parent.glob(path.name + "-*"):
        leftover.unlink()
    books.audit(start(CONFIG, directory=directory))


def test_an_empty_database_file_with_a_log_beside_it(budgetd, start, tmp_path):
    """SQLite would take it for a new database and delete the log, which has the latest keys."""
    server = start(CONFIG, directory=tmp_path / "node")
    with Load(server.rpc, Books(SEED)):
        eventually(lambda: server.spend("openai") > 0, what="spend")
    server.kill()
    data = tmp_path / "node" / "data"
    assert [path for path in data.rglob("*-wal") if path.stat().st_size], "no log after a kill"
    cut(database(data), 0)
    before = files(data)
    refused(budgetd, tmp_path / "node", BAD_DATA)
    assert files(data) == before


def test_a_flipped_bit_never_changes_money_silently(budgetd, node):
    """One random bit at a time: refused at the start, or every key and sum is still right."""
    directory, books = node
    rng, count = random.Random(SEED), 30
    path = database(directory / "data")
    whole, notes, silent = path.read_bytes(), [], []
    for _ in range(count):
        for leftover in path.parent.glob(path.name + "*"):
            leftover.unlink()
        path.write_bytes(whole)
        at, bit = rng.randrange(len(whole)), rng.randrange(8)
        flip(path, at, bit)
        books.faults.clear()
        try:
            with running(budgetd, directory, CONFIG) as server:
                books.audit(server)
        except LedgerFault as error:
            silent.append(f"bit {bit} of byte {at}: {str(error).splitlines()[0]}")
        except AssertionError as error:
            assert "before it was ready" in str(error), error
            assert any(f"exited {code}" in str(error) for code in BAD_DATA), error
            notes.append(at)
        else:
            notes.append(None)
    harmless = notes.count(None)
    print(f"{count} flips: {len(notes) - harmless} refused, {harmless} harmless")
    assert not silent, "\n".join(silent)


def test_a_data_directory_that_is_a_file(budgetd, tmp_path):
    (tmp_path / "data").write_text("a file\n")
    refused(budgetd, tmp_path, [NO_WAY_IN], str(tmp_path / "data"))
    assert (tmp_path / "data").read_text() == "a file\n"


def test_a_data_directory_below_a_file(budgetd, tmp_path):
    (tmp_path / "file").write_text("a file\n")
    refused(budgetd, tmp_path, [NO_WAY_IN], str(tmp_path / "file"), data=tmp_path / "file" / "data")


def test_a_database_that_is_a_directory(budgetd, node):
    directory, _ = node
    path = database(directory / "data")
    path.unlink()
    path.mkdir()
    refused(budgetd, directory, BAD_DATA, path.name)


def test_a_second_process_is_told_who_has_the_directory(budgetd, start, tmp_path):
    server = start(CONFIG, directory=tmp_path / "node")
    books = Books(SEED)
    with Load(server.rpc, books):
        books.wait_for(50)
        for _ in range(3):
            refused(budgetd, tmp_path / "node", [NO_WAY_IN], str(server.pid), "data")
        books.wait_for(50)
    assert ping(server).ready
    books.audit(server)
    server.kill()
    books.audit(start(CONFIG, directory=tmp_path / "node"))


def others_directory(tmp_path):
    """A prefix under which `tmp_path`/data, 0555, cannot be written."""
    (tmp_path / "data").mkdir(mode=0o755)
    if os.geteuid() != 0:
        (tmp_path / "data").chmod(0o555)
        return ()
    os.chown(tmp_path / "data", 12345, 12345)
    (tmp_path / "data").chmod(0o555)
    dropped = "-dac_override,-dac_read_search,-fowner,-chown"
    return ("setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}")


def test_a_read_only_directory(budgetd, tmp_path):
    prefix = others_directory(tmp_path)
    refused(budgetd, tmp_path, [NO_WAY_IN], str(tmp_path / "data"), prefix=prefix)
    assert not list((tmp_path / "data").iterdir())


def read_only(directory):
    """A prefix that sees `directory` mounted read-only."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    return ("unshare", "--mount", *user, "sh", "-c", script, str(directory))


def test_a_read_only_file_system(budgetd, start, node):
    directory, books = node
    before = files(directory / "data")
    refused(budgetd, directory, [NO_WAY_IN], str(directory / "data"),
            prefix=read_only(directory / "data"))
    assert files(directory / "data") == before
    books.audit(start(CONFIG, directory=directory))
