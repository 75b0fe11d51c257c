"""Files of the ledger that are removed or replaced under a running node: no record is answered OK
that the next start does not find, the service says which file it is, and there is a way out."""

import os
import shutil
import subprocess
import time

import pytest

from conftest import LONG, OK, SHORT, code_of, eventually, name_of, run
from http_client import ask, scrape
from ledger_clients import ACKNOWLEDGED, CONFIG, Books, Load, filters, ping

SEED = int(os.environ.get("BUDGETD_SEED", time.time_ns() % 10**6))


def remove_database(data):
    (data / "ledger.sqlite").unlink()


def remove_log(data):
    (data / "ledger.sqlite-wal").unlink()


def remove_lock(data):
    (data / "LOCK").unlink()


def remove_directory(data):
    shutil.rmtree(data)


def move_directory(data):
    data.rename(data.parent / "aside")


def restore_directory(data):
    """As from a copy of an hour ago: another directory with files of the same names."""
    copy = data.parent / "copy"
    subprocess.run(["cp", "-a", data, copy], check=True)
    shutil.rmtree(data)
    copy.rename(data)


def restore_over_the_database(data):
    """`cp` writes into the file that is there."""
    copy = data.parent / "copy.sqlite"
    copy.write_bytes((data / "ledger.sqlite").read_bytes()[:8192])
    subprocess.run(["cp", copy, data / "ledger.sqlite"], check=True)


def cut_log(data):
    os.truncate(data / "ledger.sqlite-wal", 0)


DEEDS = {
    remove_database: "ledger.sqlite was removed", remove_log: "ledger.sqlite-wal was removed",
    remove_lock: "LOCK was removed", remove_directory: "data was removed",
    move_directory: "data was moved away", restore_directory: "data was replaced",
    restore_over_the_database: "ledger.sqlite was written to by another program",
    cut_log: "ledger.sqlite-wal was written to by another program",
}


def says(server, words):
    """Whether Ping, /readyz and the metrics tell that the node is not ready, and why."""
    told = ping(server)
    if told.ready:
        return False
    assert words in told.not_ready_reason, told.not_ready_reason
    status, _, text = ask(server, "/readyz")
    assert status == 503 and words in text, text
    metrics = scrape(server)
    assert metrics["budgetd_ready"] == 0 and metrics["budgetd_ledger_writable"] == 0
    return True


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_an_idle_node_notices(start, deed):
    server = start(CONFIG)
    server.record("openai", 1.0, idempotency_key="before")
    deed(server.directory / "data")
    eventually(lambda: says(server, DEEDS[deed]), SHORT, "not ready")
    refused = server.call(record_spend=dict(provider="openai", cost_usd=1, idempotency_key="b"))
    assert name_of(refused) == "UNAVAILABLE", refused.status
    assert "not recorded" in refused.status.message
    assert filters(server), "filtering goes on"
    lines = [line for line in server.log.splitlines() if DEEDS[deed] in line]
    assert len(lines) == 1, server.log


def refusals(books):
    return sum(record.refused for record in list(books.records))


def acknowledged_in_the_end(books):
    """How many records were answered OK, once all replies of before the loss have been read; more
    are asked for after that."""
    eventually(lambda: refusals(books) > 1_000, LONG, "refusals by every client")
    acknowledged, refused = len(books.of(ACKNOWLEDGED)), refusals(books)
    eventually(lambda: refusals(books) > refused + 200, LONG, "further refusals")
    return acknowledged


@pytest.mark.parametrize("deed", [remove_database, remove_directory, restore_directory],
                         ids=lambda deed: deed.__name__)
def test_no_record_is_answered_that_is_not_found(start, tmp_path, deed):
    """Under load: a copy of what the process still holds has every acknowledged key."""
    server = start(CONFIG, "--backup-dir", str(tmp_path / "rescue"), directory=tmp_path / "node")
    books = Books(SEED)
    data = tmp_path / "node" / "data"
    with Load(server.rpc, books, connections=4, depth=8):
        books.wait_for(500)
        deed(data)
        eventually(lambda: not ping(server).ready, SHORT, "not ready")
        acknowledged = acknowledged_in_the_end(books)
    assert len(books.of(ACKNOWLEDGED)) == acknowledged, "a record was answered OK afterwards"
    response = server.call(backup_ledger=dict(path="copy.sqlite"))
    assert code_of(response) == OK, response.status
    reason = ping(server).not_ready_reason
    # The deed has several steps. Noticed when the log was gone and the database was not, the log's
    # records were saved into that.
    is_saved = deed is not remove_database and "is in the database" in reason
    assert "budgetctl backup" in reason or is_saved, reason
    server.kill()
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    shutil.copy(tmp_path / "rescue" / "copy.sqlite", data / "ledger.sqlite")
    books.audit(start(CONFIG, directory=tmp_path / "node"))


def test_a_log_that_is_cut_under_load(start, budgetctl, tmp_path):
    """Later commits would grow it again, and the next start would find no database."""
    server = start(CONFIG, directory=tmp_path / "node")
    books = Books(SEED)
    data = tmp_path / "node" / "data"
    with Load(server.rpc, books, connections=4, depth=8):
        books.wait_for(500)
        cut_log(data)
        eventually(lambda: says(server, DEEDS[cut_log]), SHORT, "not ready")
        acknowledged = acknowledged_in_the_end(books)
    assert len(books.of(ACKNOWLEDGED)) == acknowledged, "a record was answered OK afterwards"
    reason = ping(server).not_ready_reason
    assert "do not restart it before" in reason and "budgetctl backup" in reason
    refused = server.call(record_spend=dict(provider="openai", cost_usd=1))
    assert "restart" not in refused.status.message and "/readyz" in refused.status.message
    rescue = run(budgetctl, "--server", "%s:%d" % server.rpc, "backup", "rescue", timeout=LONG)
    assert rescue.returncode == 0, rescue
    server.stop()
    (data / "backups" / "rescue").rename(data / "ledger.sqlite")
    (data / "ledger.sqlite-wal").unlink()
    books.audit(start(CONFIG, directory=tmp_path / "node"))


@pytest.mark.parametrize("link", ["node", "node/data"])
def test_a_data_directory_by_a_link(start, tmp_path, link):
    """An operator has it on another disk; the link that leads elsewhere is noticed."""
    place = tmp_path / link
    place.parent.mkdir(exist_ok=True)
    (tmp_path / "disk").mkdir()
    place.symlink_to(tmp_path / "disk")
    server = start(CONFIG, directory=tmp_path / "node")
    books = Books(SEED)
    with Load(server.rpc, books):
        books.wait_for(100)
    server.kill()
    server = start(CONFIG, directory=tmp_path / "node")
    books.audit(server)
    (tmp_path / "other").mkdir()
    place.unlink()
    place.symlink_to(tmp_path / "other")
    data = tmp_path / "node" / "data"
    eventually(lambda: says(server, f"{data} was "), SHORT, "not ready")


def test_a_backup_after_the_directory_is_gone(start, budgetctl, tmp_path):
    """With nothing but what the advice says."""
    server = start(CONFIG, directory=tmp_path / "node")
    books = Books(SEED)
    data = tmp_path / "node" / "data"
    with Load(server.rpc, books):
        books.wait_for(100)
        remove_directory(data)
        # The database goes before its directory does, and may be what is seen first.
        eventually(lambda: "data was removed" in ping(server).not_ready_reason, SHORT, "not ready")
    rescue = run(budgetctl, "--server", "%s:%d" % server.rpc, "backup", "rescue", timeout=LONG)
    assert rescue.returncode == 0, rescue
    assert data.stat().st_mode & 0o777 == 0o700
    server.stop()
    (data / "backups" / "rescue").rename(data / "ledger.sqlite")
    books.audit(start(CONFIG, directory=tmp_path / "node"))


@pytest.mark.parametrize("deed", [remove_log, remove_lock], ids=lambda deed: deed.__name__)
def test_what_was_recorded_is_found_without_the_log(start, tmp_path, deed):
    server = start(CONFIG, directory=tmp_path / "node")
    books = Books(SEED)
    with Load(server.rpc, books, connections=4, depth=8):
        books.wait_for(500)
        deed(tmp_path / "node" / "data")
        eventually(lambda: not ping(server).ready, SHORT, "not ready")
    server.kill()
    books.audit(start(CONFIG, directory=tmp_path / "node"))


def test_a_directory_that_comes_back(start, tmp_path):
    """A mount that was away for a moment, or a move that is undone: nobody has to do anything."""
    server = start(CONFIG, directory=tmp_path / "node")
    books = Books(SEED)
    data = tmp_path / "node" / "data"
    with Load(server.rpc, books, connections=4, depth=8, pause=0.01):
        books.wait_for(200)
        data.rename(tmp_path / "aside")
        eventually(lambda: not ping(server).ready, SHORT, "not ready")
        (tmp_path / "aside").rename(data)
        eventually(lambda: ping(server).ready, SHORT, "ready again")
        books.wait_for(200)
    books.audit(server)
    server.kill()
    books.audit(start(CONFIG, directory=tmp_path / "node"))


def test_the_end_of_a_node_without_its_files(budgetctl, start):
    """It drains, exits 0, and makes nothing in the place of what is gone."""
    server = start(CONFIG)
    server.record("openai", 1.0)
    shutil.rmtree(server.directory / "data")
    eventually(lambda: not ping(server).ready, SHORT, "not ready")
    result = run(budgetctl, "--server", "%s:%d" % server.rpc, "ping", timeout=LONG)
    assert "was removed" in result.stdout + result.stderr
    server.stop()
    assert not (server.directory / "data").exists()
