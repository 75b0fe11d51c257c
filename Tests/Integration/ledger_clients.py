"""Clients that keep books, and an audit: does the ledger hold what it acknowledged, once, exactly?

Every record has an idempotency key and a cost in exact decimals. A key is *acknowledged* (OK was
read), *unknown* (no answer, UNKNOWN or INTERNAL) or *fresh* (never sent, or definitely refused).
Sums stay below 8,000 $: a double below 8,192 $ (2^13) tells 12 decimals apart.
"""

import collections
import json
import random
import socket
import struct
import threading
import time
import uuid
from decimal import Decimal

from budget_client import Client, pb
from conftest import LONG, OK, config_text, eventually, name_of

FRESH, UNKNOWN, ACKNOWLEDGED = "fresh", "unknown", "acknowledged"
PICO = Decimal("1e-12")
CEILING = Decimal(8000)
UNKNOWN_CODES = (pb.Status.UNKNOWN, pb.Status.INTERNAL)

PROVIDERS = {name: (5000.0, "30d") for name in ("openai", "azure", "anthropic")}
TAGS = {name: (5000.0, "7d") for name in ("red", "green", "blue", "grün")}
MODELS = [(f"d-{n}", "group", "openai/gpt-4o", 5000.0, "14d") for n in range(4)]
CONFIG = config_text(PROVIDERS, TAGS, MODELS)
BUDGETS = (
    {("providers", name) for name in PROVIDERS}
    | {("tags", name) for name in TAGS}
    | {("deployments", model[0]) for model in MODELS}
)


class LedgerFault(AssertionError):
    """The ledger broke a promise."""


def uuid7(rng, offset_seconds=0.0):
    """A UUIDv7 of this moment, or of `offset_seconds` later."""
    milliseconds = int((time.time() + offset_seconds) * 1000)
    bits = (milliseconds & (1 << 48) - 1) << 80 | rng.getrandbits(80)
    bits = bits & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=bits & ~(3 << 62) | 2 << 62))


def dollars(number):
    """The 12 decimals that a double below 8,192 $ stands for."""
    return Decimal(repr(number)).quantize(PICO)


class Record:
    """One spend that a client wants recorded, with the same key however often it is sent."""

    __slots__ = ("key", "cost", "fields", "charged", "state", "acknowledged_at", "refused")

    def __init__(self, key, cost, provider, deployment, tags):
        self.key, self.cost = key, cost
        self.fields = dict(provider=provider, deployment_id=deployment, tags=tags)
        self.charged = frozenset({("providers", provider), ("deployments", deployment),
                                  *(("tags", tag) for tag in tags)} & BUDGETS)
        self.state = FRESH
        self.acknowledged_at = None
        self.refused = False

    def request(self, call_id):
        return pb.Request(call_id=call_id, record_spend=pb.RecordSpendRequest(
            cost_usd=float(self.cost), idempotency_key=self.key, **self.fields))

    def __repr__(self):
        return f"{self.state} key {self.key!r} of {self.cost} $"


class Books:
    """All records of a test, over every restart of the server. Safe from several threads."""

    def __init__(self, seed):
        self.seed = seed
        self.records = []
        self.charges = collections.Counter()
        self.faults = []
        self.changed = threading.Condition()
        self.acknowledged = 0
        print(f"seed {seed}")

    def new(self, rng):
        """The next record: a key, a cost and names, drawn from `rng`."""
        kind = rng.random()
        if kind < 0.5:
            key = uuid7(rng)
        elif kind < 0.9:
            key = f"order-{rng.getrandbits(64):x}"
        else:
            key = "clé/" + "x" * rng.randrange(200) + f"{rng.getrandbits(64):x}"
        cost = Decimal(rng.choice([
            rng.randrange(1, 10),                  # pico-dollars
            rng.randrange(1, 10**6) * 40_000,      # tokens at 4e-8 $
            rng.randrange(10**9, 10**11),          # up to 10 cents, all 12 decimals
            0 if rng.random() < 0.05 else 10**9,
        ])) * PICO
        tags = rng.sample([*TAGS, "nobody's"], rng.randrange(4))
        record = Record(key, cost, rng.choice([*PROVIDERS, "no-such-provider"]),
                        rng.choice(["", "d-0", "d-1", "d-2", "d-3", "d-none"]), tags)
        with self.changed:
            for budget in record.charged:
                self.charges[budget] += cost
                assert self.charges[budget] < CEILING, "too much money for exact doubles"
            self.records.append(record)
        return record

    def of(self, state):
        return [record for record in self.records if record.state == state]

    def fault(self, text):
        with self.changed:
            self.faults.append(f"{text} (seed {self.seed})")

    def settle(self, record, response):
        """Enters an answer; None is a lost connection. Returns whether it is settled."""
        if response is None or response.status.code in UNKNOWN_CODES:
            record.state = UNKNOWN if record.state == FRESH else record.state
            return False
        if response.status.code != OK:
            # Definitely not applied by this request: a fresh key stays fresh.
            record.refused = record.refused or record.state == FRESH
            if response.status.code != pb.Status.UNAVAILABLE:
                self.fault(f"{name_of(response)} for {record}: {response.status.message}")
            elif record.state == ACKNOWLEDGED:
                pass
            return False
        answer = response.record_spend
        if record.state == ACKNOWLEDGED and not answer.duplicate:
            self.fault(f"{record} is not known any more: it was applied a second time")
        if record.state == FRESH and answer.duplicate:
            was = "refused before" if record.refused else "never sent before"
            self.fault(f"{record}, {was}, is called a duplicate")
        if not answer.duplicate and answer.budgets_charged != len(record.charged):
            self.fault(f"{record} charged {answer.budgets_charged}, not {len(record.charged)}")
        with self.changed:
            if record.state != ACKNOWLEDGED:
                record.state = ACKNOWLEDGED
                record.acknowledged_at = time.monotonic()
                self.acknowledged += 1
                self.changed.notify_all()
        return True

    def wait_for(self, more, timeout=LONG):
        """Waits until `more` further records are acknowledged."""
        with self.changed:
            goal = self.acknowledged + more
            reached = self.changed.wait_for(lambda: self.acknowledged >= goal, timeout)
        assert reached, f"{self.acknowledged} of {goal} acknowledged after {timeout} s"

    def raise_faults(self):
        if self.faults:
            more = f"\n... and {len(self.faults) - 10} more" if len(self.faults) > 10 else ""
            raise LedgerFault("\n".join(self.faults[:10]) + more)

    def sums(self, *sets):
        """{budget: exact sum} over the records given."""
        total = dict.fromkeys(BUDGETS, Decimal(0))
        for records in sets:
            for record in records:
                for budget in record.charged:
                    total[budget] += record.cost
        return total

    def resend(self, address, records, timeout=LONG, connections=2):
        """Sends all again until each is answered OK; returns those that were no duplicates."""
        applied, lock = set(), threading.Lock()
        deadline = time.monotonic() + timeout

        def send(part):
            with Pipeline(address) as pipeline:
                while part:
                    assert time.monotonic() < deadline, f"{len(part)} never answered OK: {part[0]}"
                    left = []
                    for start in range(0, len(part), 128):
                        chunk = part[start:start + 128]
                        for record, response in pipeline.exchange(chunk):
                            if not self.settle(record, response):
                                left.append(record)
                            elif not response.record_spend.duplicate:
                                with lock:
                                    applied.add(record)
                    self.raise_faults()
                    part = left

        in_threads([(send, records[n::connections]) for n in range(connections)])
        return applied

    def compare(self, server, expected, what):
        """Per budget, to the last digit that a double shows."""
        shown = spends(server)
        wrong = [f"{scope} {name}: shown {shown[scope, name]}, {what} {total}"
                 for (scope, name), total in sorted(expected.items())
                 if shown[scope, name] != total]
        if wrong:
            raise LedgerFault("\n".join(wrong) + f"\n(seed {self.seed})")

    def audit(self, server, sample=None):
        """After a restart: acknowledged keys are there once, unknown ones end applied once, and
        sums are exact before and after. With `sample`, that many older acknowledged keys only."""
        self.raise_faults()
        rng = random.Random(len(self.records))
        unknown, known = self.of(UNKNOWN), self.of(ACKNOWLEDGED)
        shown = spends(server)
        applied = self.resend(server.rpc, unknown)
        found = [record for record in unknown if record not in applied]
        wrong = {budget: (shown[budget], total)
                 for budget, total in self.sums(known, found).items() if shown[budget] != total}
        if wrong:
            raise LedgerFault(f"sums before retries are not those of the keys: {wrong};"
                              f" {len(known)} acknowledged, {len(found)} of {len(unknown)} unknown"
                              f" ones stored (seed {self.seed})")
        again = known if sample is None or len(known) <= sample else (
            known[-sample // 2:] + rng.sample(known, sample // 2))
        self.resend(server.rpc, again + unknown)
        self.raise_faults()
        if ping(server).durability == "memory":
            eventually(lambda: spends(server) == self.sums(known, unknown), LONG, "spend shown")
        self.compare(server, self.sums(known, unknown), "accepted")

    def counts(self):
        """How many keys are acknowledged, and how many are unknown."""
        return len(self.of(ACKNOWLEDGED)), len(self.of(UNKNOWN))

    def write(self, path):
        """All keys as JSON. One that is on its way now may be stored: it is written as unknown."""
        rows = [[r.key, str(r.cost), r.fields, r.state if r.state == ACKNOWLEDGED else UNKNOWN]
                for r in list(self.records)]
        path.write_text(json.dumps([self.seed, rows]))

    @staticmethod
    def read(path):
        seed, rows = json.loads(path.read_text())
        books = Books(seed)
        for key, cost, fields, state in rows:
            record = Record(key, Decimal(cost), fields["provider"], fields["deployment_id"],
                            fields["tags"])
            record.state = state
            books.records.append(record)
        return books


def spends(server):
    """{(scope, name): what the service says was spent}."""
    return {(scope, name): dollars(budget.spend_usd)
            for scope, budgets in server.budgets().items() for name, budget in budgets.items()}


def in_threads(calls):
    """Runs (function, *arguments) in threads of their own; raises what the first of them raised."""
    raised = []

    def run(function, *arguments):
        try:
            function(*arguments)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * LONG)
        assert not thread.is_alive(), "a client hangs"
    if raised:
        raise raised[0]


class Pipeline(Client):
    """A connection that sends records many at a time."""

    def exchange(self, records):
        """[(record, its response or None)]; what is not answered because the connection ended has
        None, and so has everything after that."""
        under_way, frames = {}, []
        for record in records:
            self.last_call_id += 1
            under_way[self.last_call_id] = record
            message = record.request(self.last_call_id).SerializeToString()
            frames.append(struct.pack(">I", len(message)) + message)
        answers = []
        try:
            self.socket.sendall(b"".join(frames))
            while under_way:
                response = self.receive()
                answers.append((under_way.pop(response.call_id), response))
        except (OSError, EOFError):
            pass
        return answers + [(record, None) for record in under_way.values()]


class Load:
    """Clients that record until they are stopped or cut off; with `pause`, that many seconds lie
    between one client's batches."""

    def __init__(self, address, books, connections=4, depth=8, pause=0.0):
        self.books = books
        self.pause = pause
        self.stopping = threading.Event()
        self.sockets = []
        seed = f"{books.seed}/{len(books.records)}"
        self.threads = []
        for n in range(connections):
            rng = random.Random(f"{seed}/{n}")
            pipeline = Pipeline(address)
            self.sockets.append(pipeline.socket)
            self.threads.append(threading.Thread(
                target=self.run, args=(pipeline, rng, depth), daemon=True))
        for thread in self.threads:
            thread.start()

    def run(self, pipeline, rng, depth):
        with pipeline:
            while not self.stopping.is_set():
                records = [self.books.new(rng) for _ in range(rng.randint(1, depth))]
                lost = False
                for record, response in pipeline.exchange(records):
                    self.books.settle(record, response)
                    lost = lost or response is None
                if lost:
                    return
                self.stopping.wait(self.pause)

    def stop(self):
        """Returns when all clients have their answers, or lost their connections."""
        self.stopping.set()
        for thread in self.threads:
            thread.join(LONG)
            if thread.is_alive():
                for held in self.sockets:
                    held.shutdown(socket.SHUT_RDWR)
                raise AssertionError(f"a client had no answer for {LONG} s")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def ping(server):
    response = server.call(ping={})
    assert response.status.code == OK, response.status
    return response.ping


def filters(server):
    """Whether FilterDeployments answers as it must with plenty of money left."""
    response = server.call(filter_deployments=dict(
        deployments=[dict(id="d-0", model_name="group", model="openai/gpt-4o")], tags=["red"]))
    assert response.status.code == OK, response.status
    return list(response.filter_deployments.allowed) == [0]


def ready(server):
    return eventually(lambda: ping(server).ready, LONG, "ready")
