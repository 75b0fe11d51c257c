"""A small ledger that speaks the protocol, to try the fault tests on: they must pass on it as it
is, and fail on it with one of these mistakes in the variable STAND_IN_MISTAKE.

    unsynced      synchronous=OFF: a commit does not wait for the disk
    early-reply   the reply leaves before the commit
    no-key        the balance is committed first, its keys after it

One process, one SQLite connection on one thread, group commit. Takes budgetd's command line.
"""

import argparse
import fcntl
import os
import queue
import signal
import socketserver
import sqlite3
import struct
import sys
import threading
import time
import uuid
from decimal import Decimal
from pathlib import Path

import yaml

from budget_client import pb

MISTAKE = os.environ.get("STAND_IN_MISTAKE", "")
DAY = 24 * 3600 * 1000
SCHEMA = 1


def refuse(code, text):
    print(f"stand_in: {text}", file=sys.stderr)
    os._exit(code)


def read_config(path):
    """{(scope, name): limit}."""
    document = yaml.safe_load(Path(path).read_text())
    limits = {}
    for name, row in document.get("router_settings", {}).get("provider_budget_config", {}).items():
        limits["providers", name] = row["budget_limit"]
    for name, row in document.get("litellm_settings", {}).get("tag_budget_config", {}).items():
        limits["tags", name] = row["max_budget"]
    for row in document.get("model_list", []):
        if "max_budget" in row["litellm_params"]:
            limits["deployments", row["model_info"]["id"]] = row["litellm_params"]["max_budget"]
    return limits


class Ledger:
    def __init__(self, directory, durability):
        self.durability = durability
        self.directory = Path(directory)
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.lock = open(self.directory / "LOCK", "a+")
        except OSError as error:
            refuse(69, f"data directory {directory}: {error}")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.lock.seek(0)
            refuse(69, f"data directory {directory} is in use by pid {self.lock.read().strip()}")
        self.lock.truncate(0)
        self.lock.write(str(os.getpid()))
        self.lock.flush()
        self.path = self.directory / "ledger.db"
        self.failure = ""
        self.horizon = int(time.time() * 1000) - DAY
        self.arrivals = queue.Queue()
        try:
            self.open()
        except sqlite3.Error as error:
            refuse(78, f"ledger {self.path}: {error}; restore a backup or move the file away")

    def open(self):
        if self.path.exists() and self.path.stat().st_size:
            probe = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
            version = probe.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, SCHEMA):
                raise sqlite3.DatabaseError(f"schema {version}, this build knows {SCHEMA}")
            probe.close()
        base = self.base = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False)
        sync = "OFF" if MISTAKE == "unsynced" else "FULL"
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", f"synchronous={sync}"):
            base.execute(f"PRAGMA {pragma}")
        if base.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("the check found damage")
        base.execute("CREATE TABLE IF NOT EXISTS record(key TEXT PRIMARY KEY, print TEXT)")
        base.execute("CREATE TABLE IF NOT EXISTS balance(budget TEXT PRIMARY KEY, spent TEXT)")
        base.execute(f"PRAGMA user_version={SCHEMA}")
        self.keys = dict(base.execute("SELECT key, print FROM record"))
        self.spent = {tuple(budget.split("\0")): Decimal(spent)
                      for budget, spent in base.execute("SELECT budget, spent FROM balance")}

    def close(self):
        self.base.close()

    def run(self):
        while True:
            batch = [self.arrivals.get()]
            while not self.arrivals.empty() and len(batch) < 4096:
                batch.append(self.arrivals.get())
            records = [one for one in batch if not callable(one[0])]
            if records:
                self.commit(records)
            for work, reply in [one for one in batch if callable(one[0])]:
                reply(work())

    def commit(self, batch):
        keys, spent, answers, failure = {}, {}, [], None
        for (key, budgets, cost, fingerprint), reply in batch:
            seen = keys.get(key) or self.keys.get(key)
            if key and seen:
                answers.append((reply, dict(duplicate=True) if seen == fingerprint else None))
                continue
            keys.update({key: fingerprint} if key else {})
            for budget in budgets:
                spent[budget] = spent.get(budget, self.spent.get(budget, 0)) + cost
            answers.append((reply, dict(budgets_charged=len(budgets))))
        early = MISTAKE == "early-reply" or self.durability == "memory" and not self.failure
        if early:
            for reply, answer in answers:
                reply(answer)
        try:
            at_commit = False
            if self.failure and "full" not in self.failure:
                self.open()
            base = self.base
            base.execute("BEGIN IMMEDIATE")
            base.executemany("REPLACE INTO balance VALUES(?,?)",
                             [("\0".join(b), str(total)) for b, total in spent.items()])
            if MISTAKE == "no-key":
                base.execute("COMMIT")
                base.execute("BEGIN IMMEDIATE")
            base.executemany("INSERT INTO record VALUES(?,?)", keys.items())
            at_commit = True
            base.execute("COMMIT")
            self.keys |= keys
            self.spent |= spent
            self.failure = ""
        except sqlite3.Error as error:
            self.failure = str(error)
            full = "full" in self.failure
            code = pb.Status.UNKNOWN if at_commit and not full else pb.Status.UNAVAILABLE
            failure = pb.Status(code=code, message=self.failure)
            print(f"stand_in: {self.failure}", file=sys.stderr)
            try:
                if full and self.base.in_transaction:
                    self.base.execute("ROLLBACK")
                if not full:
                    self.base.close()
                    self.open()
                    self.failure = ""
            except sqlite3.Error as again:
                self.failure = str(again)
        if not early:
            for reply, answer in answers:
                reply(failure or answer)

    def backup(self, name):
        path = os.path.join(os.path.dirname(self.path), "backups", name)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        try:
            if not path or os.path.exists(path):
                raise FileExistsError(f"{path!r} exists")
            with open(path, "xb", opener=lambda *how: os.open(*how, mode=0o600)):
                pass
            try:
                self.base.execute("VACUUM INTO ?", (path,))
            except sqlite3.Error:
                os.unlink(path)
                raise
            return pb.BackupLedgerResponse(bytes=os.path.getsize(path), path=path)
        except (OSError, sqlite3.Error) as error:
            return pb.Status(code=pb.Status.FAILED_PRECONDITION, message=str(error))


class Connection(socketserver.BaseRequestHandler):
    def handle(self):
        reader = self.request.makefile("rb")
        self.writing = threading.Lock()
        while True:
            try:
                header = reader.read(4)
                if len(header) < 4:
                    return
                request = pb.Request.FromString(reader.read(*struct.unpack(">I", header)))
            except OSError:
                return
            self.answer(request)

    def reply(self, call_id, **fields):
        message = pb.Response(call_id=call_id, **fields).SerializeToString()
        try:
            with self.writing:
                self.request.sendall(struct.pack(">I", len(message)) + message)
        except OSError:
            pass

    def error(self, call_id, code, text):
        self.reply(call_id, status=pb.Status(code=code, message=text))

    def answer(self, request):
        call, ledger, limits = request.call_id, self.server.ledger, self.server.limits
        method = request.WhichOneof("method")
        if method == "ping":
            self.reply(call, ping=pb.PingResponse(
                version="stand-in", ready=not ledger.failure, durability=self.server.durability,
                not_ready_reason=ledger.failure, idempotency_horizon_unix_ms=ledger.horizon))
        elif method == "filter_deployments":
            count = len(request.filter_deployments.deployments)
            self.reply(call, filter_deployments=pb.FilterDeploymentsResponse(allowed=range(count)))
        elif method == "get_provider_budgets":
            found = pb.GetProviderBudgetsResponse()
            for (scope, name), limit in limits.items():
                spent = ledger.spent.get((scope, name), Decimal(0))
                getattr(found, scope).add(name=name, limit_usd=limit, spend_usd=float(spent),
                                          remaining_usd=float(Decimal(limit) - spent))
            self.reply(call, get_provider_budgets=found)
        elif method == "backup_ledger":
            path = request.backup_ledger.path
            ledger.arrivals.put((lambda: ledger.backup(path), lambda result: self.reply(call, **(
                dict(status=result) if isinstance(result, pb.Status)
                else dict(backup_ledger=result)))))
        elif method == "record_spend":
            self.record(call, request.record_spend)

    def record(self, call, record):
        ledger, key = self.server.ledger, record.idempotency_key
        if len(key.encode()) > 256 or any(ord(c) < 32 for c in key):
            return self.error(call, pb.Status.INVALID_ARGUMENT, "idempotency_key: 1 to 256 bytes")
        if len(key) == 36 and key[14] == "7":
            if (uuid.UUID(key).int >> 80) - time.time() * 1000 < -DAY:
                return self.error(call, pb.Status.OUT_OF_RANGE, "idempotency_key: too old")
        tags = sorted(set(record.tags))
        budgets = [b for b in [("providers", record.provider), *(("tags", t) for t in tags),
                               ("deployments", record.deployment_id)] if b in self.server.limits]
        fingerprint = repr((record.provider, record.deployment_id, record.model, tags,
                            record.cost_usd, record.reservation_id))
        cost = Decimal(repr(record.cost_usd)).quantize(Decimal("1e-12"))

        def reply(answer):
            if answer is None:
                self.error(call, pb.Status.ALREADY_EXISTS, "the key was used with other fields")
            elif isinstance(answer, pb.Status):
                self.reply(call, status=answer)
            else:
                self.reply(call, record_spend=pb.RecordSpendResponse(**answer))

        ledger.arrivals.put(((key, budgets, cost, fingerprint), reply))


class Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 256


def main():
    parser = argparse.ArgumentParser()
    for option in ("--config", "--listen", "--http", "--data-dir"):
        parser.add_argument(option)
    parser.add_argument("--durability", default="commit")
    options = parser.parse_args()
    listener = Listener(("127.0.0.1", 0), Connection)
    listener.limits, listener.durability = read_config(options.config), options.durability
    listener.ledger = Ledger(options.data_dir, options.durability)

    # Held back in every thread and waited for: a handler would run between any two steps, and one
    # that ran just before pause() would be followed by no other signal.
    signals = {signal.SIGHUP, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    threading.Thread(target=listener.ledger.run, daemon=True).start()
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    print(f"budgetd ready rpc=127.0.0.1:{listener.server_address[1]} http=off"
          f" durability={options.durability}", flush=True)
    while signal.sigwait(signals) == signal.SIGHUP:
        listener.limits = read_config(options.config)
    # On the thread whose connection it is, after what it has under way.
    listener.ledger.arrivals.put((listener.ledger.close, lambda _: os._exit(0)))
    signal.pause()


main()
