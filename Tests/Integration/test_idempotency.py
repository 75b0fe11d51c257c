"""Idempotency keys over the wire: once per key, whatever clients, network and reloads do."""

import contextlib
import os
import random
import socket
import struct
import threading
import time
import uuid
from decimal import Decimal

import pytest

from budget_client import pb
from conftest import LONG, OK, code_of, config_text, eventually, name_of
from ledger_clients import (
    CONFIG, FRESH, Books, Pipeline, Record, dollars, in_threads, ping, uuid7)
from wire_bytes import double, field, uint

SEED = int(os.environ.get("BUDGETD_SEED", time.time_ns() % 10**6))
HOUR, MINUTE = 3600.0, 60.0
FIELDS = dict(provider="openai", deployment_id="d-0", tags=["red", "green"], cost_usd=0.125)


@pytest.fixture
def rng():
    print(f"seed {SEED}")
    return random.Random(SEED)


@pytest.fixture
def server(start):
    return start(CONFIG, "--durability", "commit")


def record(server, **fields):
    return server.call(record_spend=fields)


def applied(response):
    assert code_of(response) == OK, response.status
    return not response.record_spend.duplicate


def test_the_same_record_twice(server):
    assert applied(record(server, **FIELDS, idempotency_key="k"))
    assert not applied(record(server, **FIELDS, idempotency_key="k"))
    assert server.spend("openai") == server.spend("red", "tags") == 0.125


def test_one_key_64_times_at_once_on_64_connections(server, rng):
    for key in (uuid7(rng), "free form, " + "é" * 100):
        together, answers = threading.Barrier(64), []
        before = dollars(server.spend("openai"))

        def send(client, key=key, together=together, answers=answers):
            together.wait(LONG)
            answers.append(client.call(record_spend=dict(**FIELDS, idempotency_key=key)))

        clients = [server.client() for _ in range(64)]
        in_threads([(send, client) for client in clients])
        for client in clients:
            client.close()
        assert [applied(answer) for answer in answers].count(True) == 1
        assert len(answers) == 64
        assert dollars(server.spend("openai")) == before + Decimal("0.125")


def test_one_key_many_times_in_one_write(server):
    """All arrive while the first is still on its way to the disk."""
    books = Books(SEED)
    one = Record("burst", Decimal("0.25"), "openai", "", [])
    with Pipeline(server.rpc) as pipeline:
        answers = pipeline.exchange([one] * 200)
    assert [applied(response) for _, response in answers].count(True) == 1
    assert server.spend("openai") == 0.25
    books.raise_faults()


def test_one_key_with_two_costs_in_one_write(server):
    """One of the two is recorded; the other is refused, whichever comes first."""
    pair = [Record("pair", Decimal(cost), "openai", "", []) for cost in ("0.25", "0.5")]
    with Pipeline(server.rpc) as pipeline:
        answers = pipeline.exchange(pair * 20)
    by_cost = {}
    for one, response in answers:
        by_cost.setdefault(str(one.cost), []).append(code_of(response))
    assert set(by_cost["0.25"]) == {OK} and set(by_cost["0.5"]) == {pb.Status.ALREADY_EXISTS}
    assert server.spend("openai") == 0.25


@pytest.mark.parametrize("change", [
    dict(cost_usd=0.126), dict(provider="azure"), dict(provider=""), dict(deployment_id="d-1"),
    dict(deployment_id=""), dict(model="gpt-4o"), dict(tags=["red"]), dict(tags=[]),
    dict(tags=["red", "green", "blue"]), dict(tags=["red,green"]), dict(reservation_id="r")],
    ids=lambda change: "-".join(f"{name}={value}" for name, value in change.items()))
def test_the_same_key_with_other_fields_records_nothing(server, change):
    assert applied(record(server, **FIELDS, idempotency_key="k"))
    response = record(server, **{**FIELDS, **change}, idempotency_key="k")
    assert name_of(response) == "ALREADY_EXISTS" and response.status.message
    shown = server.budgets()
    assert [shown["providers"][name].spend_usd for name in ("openai", "azure")] == [0.125, 0]
    assert [shown["deployments"][name].spend_usd for name in ("d-0", "d-1")] == [0.125, 0]
    assert [shown["tags"][name].spend_usd for name in ("red", "green", "blue")] == [0.125, 0.125, 0]
    assert not applied(record(server, **FIELDS, idempotency_key="k"))


def test_tags_count_as_a_set(server):
    assert applied(record(server, **FIELDS, idempotency_key="k"))
    other = {**FIELDS, "tags": ["green", "red", "green", "red"]}
    assert not applied(record(server, **other, idempotency_key="k"))


def test_a_refused_request_leaves_its_key_free(server):
    """A validation error stores nothing and may be put right under the same key."""
    response = record(server, **{**FIELDS, "cost_usd": -1.0}, idempotency_key="k")
    assert name_of(response) == "INVALID_ARGUMENT"
    assert applied(record(server, **FIELDS, idempotency_key="k"))


def test_no_key_is_not_deduplicated(server):
    for _ in range(2):
        assert applied(record(server, **FIELDS))
        assert applied(record(server, **FIELDS, idempotency_key=""))
    assert server.spend("openai") == 0.5


@pytest.mark.parametrize("key", ["a", "x" * 256, "é" * 128, " ", "'; DROP TABLE budget; --", "%s"])
def test_keys_of_1_to_256_bytes(server, key):
    assert applied(record(server, **FIELDS, idempotency_key=key))
    assert not applied(record(server, **FIELDS, idempotency_key=key))


def test_keys_differ_by_every_byte(server):
    keys = ["x" * 255, "x" * 256, "X" * 256, "x" * 255 + "y", "y" + "x" * 255, "é", "e\u0301"]
    assert all(applied(record(server, **FIELDS, idempotency_key=key)) for key in keys)
    assert not any(applied(record(server, **FIELDS, idempotency_key=key)) for key in keys)


@pytest.mark.parametrize("key", [
    b"x" * 257, b"x" * 4096, b"a\0b", b"a\nb", b"\x7f", b"\xff\xfe", b"a\xc3"])
def test_other_keys_are_refused(server, key):
    spend = field(1, "openai") + double(5, 0.125) + field(6, key)
    with server.client() as client:
        client.send_frame(uint(1, 1) + field(11, spend))
        response = client.receive()
    assert name_of(response) == "INVALID_ARGUMENT" and "idempotency_key" in response.status.message
    assert server.spend("openai") == 0


@pytest.mark.parametrize(("offset", "expected"), [
    (-25 * HOUR, "OUT_OF_RANGE"), (-400 * 24 * HOUR, "OUT_OF_RANGE"), (-23 * HOUR, "OK"),
    (-1.0, "OK"), (4 * MINUTE, "OK"), (10 * MINUTE, "OK"),
    (400 * 24 * HOUR, "OK")])
def test_the_time_in_a_uuid_version_7(server, rng, offset, expected):
    key = uuid7(rng, offset)
    response = record(server, **FIELDS, idempotency_key=key)
    assert name_of(response) == expected, response.status
    assert server.spend("openai") == (0.125 if expected == "OK" else 0)
    if expected == "OK":
        assert not applied(record(server, **FIELDS, idempotency_key=key))


def test_only_version_7_has_a_time(server, rng):
    old = uuid7(rng, -25 * HOUR)
    keys = [str(uuid.UUID(int=rng.getrandbits(128), version=4)), old[:14] + "4" + old[15:],
            old + "x", old[1:], old.replace("-", "+")]
    assert all(applied(record(server, **FIELDS, idempotency_key=key)) for key in keys)


def test_ping_shows_durability_and_horizon(start, server):
    said = ping(server)
    assert said.durability == server.durability == "commit" and said.ready
    age = time.time() * 1000 - said.idempotency_horizon_unix_ms
    assert 23 * HOUR * 1000 < age < 24 * HOUR * 1000 + 60_000, said
    memory = start(CONFIG, "--durability", "memory")
    assert ping(memory).durability == memory.durability == "memory"


def reset(held):
    """Closes with RST: nothing that the kernel still holds is delivered to anyone."""
    held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    held.close()


def test_reset_right_after_sending(server, rng):
    """Stored once or not at all, and once after a retry."""
    books = Books(SEED)
    for _ in range(100):
        pipeline = Pipeline(server.rpc)
        records = [books.new(rng) for _ in range(rng.randint(1, 20))]
        for one in records:
            pipeline.last_call_id += 1
            pipeline.send_frame(one.request(pipeline.last_call_id).SerializeToString())
            books.settle(one, None)
        pipeline.reader.close()
        reset(pipeline.socket)
    # What was delivered is settled before the audit asks what is stored. Records that are answered
    # are committed after all that was queued before them; the connections spread over the lanes.
    # Without them two looks within one slow commit would seem to be still.
    with contextlib.ExitStack() as stack:
        for client in [stack.enter_context(server.client()) for _ in range(8)]:
            reply = client.call(record_spend=dict(provider="openai", cost_usd=0))
            assert not reply.status.code, reply
    settled = [None]

    def still():
        before, settled[0] = settled[0], sorted(
            (name, b.spend_usd) for found in server.budgets().values() for name, b in found.items())
        return before == settled[0]

    eventually(still, LONG, "no record under way")
    books.audit(server)
    assert not books.of(FRESH)


def test_duplicate_after_reload_and_restart(start, tmp_path):
    """The fingerprint is of the request's own fields: what they resolve to may change."""
    server = start(CONFIG, directory=tmp_path / "node")
    fields = dict(provider="openai", tags=["red", "newcomer"], cost_usd=0.5)
    assert applied(record(server, **fields, idempotency_key="k"))
    other = config_text({"openai": (7.0, "30d"), "groq": (1.0, "1d")}, {"newcomer": (3.0, "7d")})
    server.reload(other)
    eventually(lambda: "groq" in server.budgets()["providers"], LONG, "the reload's effect")
    assert not applied(record(server, **fields, idempotency_key="k"))
    assert name_of(record(server, **{**fields, "cost_usd": 0.25}, idempotency_key="k")) == (
        "ALREADY_EXISTS")
    assert server.spend("openai") == 0.5 and server.spend("newcomer", "tags") == 0
    for end in (server.kill, None):
        (end or server.stop)()
        server = start(other, directory=tmp_path / "node")
        assert not applied(record(server, **fields, idempotency_key="k"))
        assert server.spend("openai") == 0.5 and server.spend("newcomer", "tags") == 0
    server.reload(CONFIG)
    eventually(lambda: "red" in server.budgets()["tags"], LONG, "the reload's effect")
    assert not applied(record(server, **fields, idempotency_key="k"))
    assert server.spend("red", "tags") == 0.5, "spend of a budget that was away is kept"


def test_large_and_small_amounts_are_exact(start, tmp_path):
    """9,000,000,000 $ 100,000 times and 10^-12 $: `remaining` shows every digit of the sum."""
    config = config_text({"whale": (9e14, "30d")})
    server = start(config, directory=tmp_path / "node")
    fields = dict(provider="whale", cost_usd=9e9)

    def send(times):
        with server.client() as client:
            for _ in range(times // 1000):
                frames = b""
                for _ in range(1000):
                    client.last_call_id += 1
                    message = pb.Request(call_id=client.last_call_id, record_spend=fields)
                    frames += struct.pack(">I", message.ByteSize()) + message.SerializeToString()
                client.socket.sendall(frames)
                assert all(applied(client.receive()) for _ in range(1000))

    in_threads([(send, 25_000)] * 4)
    assert applied(record(server, provider="whale", cost_usd=1e-12, idempotency_key="last"))
    for _ in range(2):
        whale = server.budgets()["providers"]["whale"]
        assert (whale.spend_usd, whale.remaining_usd) == (9e14, -1e-12)
        server.kill()
        server = start(config, directory=tmp_path / "node")
