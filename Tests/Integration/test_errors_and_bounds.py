"""Bounds, hostile bytes and "What a client can conclude" of wire.md.

After every test here the server still answers, its memory has grown by 6 MiB at most (the attacks
repeat, so that what each leaves behind would show; where 8 MiB of answers may wait for a slow
reader, by 24 MiB) and no descriptor is left over.
"""

import os
import random
import re
import resource
import select
import socket
import struct
import threading
import time

import pytest

from budget_client import pb
from conftest import OK, code_of, config_text, eventually, name_of, running, unharmed
from wire_bytes import (
    BUDGETS, CALL_ID, FILTER, FIXED32, FIXED64, GROUP_END, GROUP_START, MAX_FRAME, PING, RECORD,
    TIMEOUT_MS, VARINT, BYTES, double, field, frame, key, padded, ping, uint, varint)

TOLERANCE_KIB = 6 * 1024
BUFFERS_KIB = 24 * 1024
INVALID, EXHAUSTED = "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"
SPENT_TAGS = [f"{i:03}" + "t" * 253 for i in range(256)]
SHORT_TAGS = [f"s{i}" for i in range(256)]
PROVIDERS = {"openai": (1e9, "1d"), "victim": (1e9, "1d"), "mutant": (1e9, "1d")}
TAGS = {"good": (1e9, "1d")} | {tag: (0, "1d") for tag in SPENT_TAGS + SHORT_TAGS}
LONG_NAME = "n" * 256
MODELS = [(f"{i:04}" + "i" * 252, LONG_NAME, "spent/" + "m" * 250, 0, "1d") for i in range(1024)]
MODELS += [(f"h-{i}", "heavy", "openai/gpt-4o") for i in range(1024)]


@pytest.fixture(scope="module")
def shared_server(budgetd, tmp_path_factory):
    directory = tmp_path_factory.mktemp("bounds")
    with running(budgetd, directory, config_text(PROVIDERS, TAGS, MODELS)) as server:
        with server.client() as client:  # warm up: largest requests, largest answers
            for _ in range(3):
                for method in (HEAVY, dict(get_provider_budgets=dict(include_tags=True))):
                    client.call(**method)
                client.send_frame(padded(ping(1), MAX_FRAME))
                client.receive()
        yield server


@pytest.fixture
def server(shared_server):
    with unharmed(shared_server, TOLERANCE_KIB):
        yield shared_server


@pytest.fixture
def buffering_server(shared_server):
    with unharmed(shared_server, BUFFERS_KIB):
        yield shared_server


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


HEAVY = dict(filter_deployments=dict(model_name="heavy", tags=SPENT_TAGS))


def ask(client, message, times=1):
    """Sends the frame `times` times, each answered; the connection stays open and in step."""
    for _ in range(times):
        client.send_frame(message)
        response = client.receive()
    client.send_frame(ping(4242))
    assert client.receive().call_id == 4242
    return response


def refused(client, message, call_id, times=20):
    response = ask(client, message, times)
    assert (name_of(response), response.call_id) == (INVALID, call_id), response
    assert response.status.message and response.WhichOneof("result") is None


def closed_after(client, code=None):
    """The next reply has call_id 0 and this code, unless None, and then the server closes."""
    if code is not None:
        response = client.receive()
        assert (name_of(response), response.call_id) == (code, 0), response
        assert response.status.message
    assert client.reader.read(1) == b"", "the connection is still open"


# The frame


def test_frame_of_exactly_256_kib(client):
    response = ask(client, padded(ping(7), MAX_FRAME), 10)
    assert (name_of(response), response.call_id) == ("OK", 7)


@pytest.mark.parametrize("length", [MAX_FRAME + 1, 257 * 1024, 2**24, 2**31, 2**32 - 1])
def test_longer_frame_is_judged_by_its_length_alone(server, length):
    for _ in range(20):
        with server.client() as client:
            client.socket.sendall(struct.pack(">I", length))  # no body follows
            closed_after(client, EXHAUSTED)


def test_requests_before_a_frame_that_is_too_long_are_answered(client):
    client.socket.sendall(frame(ping(1)) + frame(ping(2)) + struct.pack(">I", MAX_FRAME + 1))
    assert {client.receive().call_id, client.receive().call_id} == {1, 2}
    closed_after(client, EXHAUSTED)


@pytest.mark.parametrize("stimulus", [
    b"GET /metrics HTTP/1.1\r\nHost: budgetd\r\n\r\n",
    bytes.fromhex("16030100c8010000c40303") + bytes(range(194)),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\xff" * 4096,
], ids=["HTTP", "TLS", "HTTP2", "SSH", "ones"])
def test_another_protocol(server, stimulus):
    for _ in range(10):
        with server.client() as client:
            client.socket.sendall(stimulus)
            closed_after(client, EXHAUSTED)


def test_frame_in_single_bytes(client):
    for byte in frame(ping(3)):
        client.socket.sendall(bytes([byte]))
    assert client.receive().call_id == 3


def test_half_a_frame_and_then_the_peer_closes(server):
    record = pb.Request(call_id=1, record_spend=dict(provider="victim", cost_usd=1))
    whole = frame(record.SerializeToString())
    before = server.spend("victim")
    descriptors = server.descriptors()
    for cut in range(1, len(whole)):
        with server.client() as client:
            client.socket.sendall(whole[:cut])
    for cut in (2, len(whole) - 1):
        with server.client() as client:
            client.socket.sendall(whole[:cut])
            client.socket.shutdown(socket.SHUT_WR)
            assert client.reader.read() == b""
    eventually(lambda: server.descriptors() <= descriptors)
    assert server.spend("victim") == before
    with server.client() as client:
        client.socket.sendall(whole + whole[:-1])
        assert code_of(client.receive()) == OK
    eventually(lambda: server.descriptors() <= descriptors)
    assert server.spend("victim") == before + 1


def test_connection_reset_right_after_a_record(server):
    """Each is recorded once or not at all."""
    before, descriptors = server.spend("victim"), server.descriptors()
    for _ in range(50):
        with server.client() as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.send(record_spend=dict(provider="victim", cost_usd=1))
    eventually(lambda: server.descriptors() <= descriptors)
    grown = server.spend("victim") - before
    assert grown == int(grown) and 0 <= grown <= 50


def test_five_seconds_for_a_frame(server):
    """Two bytes of the length, half a body, and a byte every half second; others go on."""
    whole = frame(padded(ping(1), 1000))
    with server.client() as header, server.client() as body, server.client() as drip:
        began = time.monotonic()
        header.socket.sendall(whole[:2])
        body.socket.sendall(whole[:500])
        for byte in whole:
            drip.socket.sendall(bytes([byte]))
            assert time.monotonic() - began < 8, "a dripping frame is still being read"
            if select.select([drip.socket], [], [], 0.5)[0]:
                break
            assert code_of(server.call(ping={})) == OK
        waited = time.monotonic() - began
        for client in (drip, header, body):
            closed_after(client, "DEADLINE_EXCEEDED")
    assert 4.5 <= waited <= 7


def test_frame_deadline_is_per_frame_not_per_connection(client):
    """Twelve frames in halves, half a second apart: the connection is busy for over 5 s."""
    for call_id in range(1, 13):
        whole = frame(padded(ping(call_id), 1000))
        client.socket.sendall(whole[:500])
        assert not select.select([client.socket], [], [], 0.5)[0], "answered half a frame"
        client.socket.sendall(whole[500:])
        assert client.receive().call_id == call_id


# What is no message, and what the walk refuses


RECORD_BODY = field(1, "victim") + double(5, 1.0)
ID = uint(CALL_ID, 9)
NOT_A_MESSAGE = {
    "truncated varint": ID + b"\x10\xff\xff",
    "varint of 11 bytes": ID + b"\x10" + b"\xff" * 10 + b"\x01",
    "key cut off": ID + b"\x80",
    "length leaves the frame": ID + key(PING, BYTES) + varint(100) + b"abc",
    "length of 2^63": ID + key(PING, BYTES) + varint(2**63) + b"abc",
    "length of 2^64-1": ID + key(PING, BYTES) + varint(2**64 - 1),
    "length of 2^32-1": ID + key(PING, BYTES) + varint(2**32 - 1),
    "inner length leaves its message": ID + field(RECORD, key(1, BYTES) + varint(50) + b"x"),
    "inner length leaves its message, not the frame":
        ID + field(RECORD, double(5, 1.0) + key(1, BYTES) + varint(9) + b"x")
        + field(900, b"z" * 20),
    "fixed64 cut off": ID + field(RECORD, field(1, "victim") + key(5, FIXED64) + b"1234"),
    "unknown fixed32 cut off": ID + key(900, FIXED32) + b"12",
    "field number 0": ID + b"\x00\x01",
    "field number 0 with bytes": ID + b"\x02\x01x",
    "wire type 6": ID + key(3, 6) + b"\x01",
    "wire type 7": ID + key(5, 7) + b"\x01",
    "group": ID + key(30, GROUP_START) + key(30, GROUP_END),
    "10,000 groups in each other":
        ID + key(30, GROUP_START) * 10_000 + key(30, GROUP_END) * 10_000,
    "group without an end": ID + key(30, GROUP_START) * 50_000,
    "end of no group": ID + key(30, GROUP_END),
    "trailing garbage": ID + field(PING, b"") + b"\xff\xff\xff",
    "method twice": ID + field(PING, b"") * 2,
    "two methods": ID + field(PING, b"") + field(RECORD, RECORD_BODY),
    "two methods, one unknown to the build": ID + field(13, b"") + field(RECORD, RECORD_BODY),
    "record twice": ID + field(RECORD, RECORD_BODY) * 2,
    "timeout twice": ID + uint(TIMEOUT_MS, 1000) * 2 + field(RECORD, RECORD_BODY),
    "provider twice": ID + field(RECORD, field(1, "victim") * 2 + double(5, 1.0)),
    "cost twice": ID + field(RECORD, RECORD_BODY + double(5, 1.0)),
    "id of a deployment twice": ID + field(FILTER, field(1, field(1, "a") * 2)),
    "33 unknown fields": ID + field(RECORD, RECORD_BODY) + uint(900, 1) * 33,
    "33 unknown fields inside": ID + field(RECORD, RECORD_BODY + uint(900, 1) * 33),
    "33 unknown fields, some inside":
        ID + uint(900, 1) * 17 + field(RECORD, RECORD_BODY + uint(900, 1) * 16),
    "flood of 2-byte fields": ID + field(RECORD, RECORD_BODY) + uint(8, 0) * 130_000,
    "flood of 2-byte fields inside": ID + field(FILTER, uint(8, 0) * 130_000),
    "flood of empty unknown messages": ID + field(8, b"") * 130_000,
    "flood of empty methods": ID + field(PING, b"") * 87_000,
    "flood of empty deployments": ID + field(FILTER, field(1, b"") * 130_000),
    "flood of empty tags": ID + field(FILTER, field(2, b"") * 130_000),
    "flood of empty tags of a record":
        ID + field(RECORD, RECORD_BODY + field(4, b"") * 130_000),
    "flood of empty names": ID + field(BUDGETS, field(1, b"") * 130_000),
    "singular message repeated":
        ID + field(FILTER, field(1, field(1, "a")) * 200) * 250,
    "singular message repeated, growing tags":
        ID + field(RECORD, field(4, "t" * 20) * 50) * 230,
}


@pytest.mark.parametrize("name", NOT_A_MESSAGE)
def test_what_is_no_message_is_refused(server, client, name):
    """INVALID_ARGUMENT on its call_id, which came first; nothing applied; no time lost."""
    message = NOT_A_MESSAGE[name]
    assert len(message) <= MAX_FRAME
    spend, cpu = server.spend("victim"), server.cpu_seconds()
    refused(client, message, 9, times=20)
    used = server.cpu_seconds() - cpu
    assert used < 0.5, f"20 frames of {len(message)} bytes took {used} s of CPU"
    assert server.spend("victim") == spend


def test_call_id_as_far_as_it_could_be_read(client):
    refused(client, b"\xff\xff\xff\xff", 0)
    refused(client, b"\x08", 0)
    refused(client, b"\x08\xff", 0)
    refused(client, b"\x08" + b"\xff" * 11, 0)
    refused(client, uint(CALL_ID, 2**64 - 1) + b"\xff", 2**64 - 1)
    refused(client, ID + b"\x02\x01x", 9)
    # One that comes after what cannot be read may be found or not; never another number.
    response = ask(client, field(FILTER, b"\xff") + ID)
    assert name_of(response) == INVALID and response.call_id in (0, 9)
    response = ask(client, ID + uint(CALL_ID, 10) + field(PING, b""))
    assert name_of(response) == INVALID and response.call_id in (0, 9)


def test_thirty_two_unknown_fields_are_skipped(client):
    unknown = uint(900, 1) * 8 + field(901, b"abc") * 8
    unknown += key(902, FIXED32) + b"1234" + key(903, FIXED64) + b"12345678"
    unknown += uint(2**29 - 1, 2**64 - 1) * 14
    assert name_of(ask(client, ID + field(PING, b"") + unknown)) == "OK"
    assert name_of(ask(client, unknown + ID + field(PING, b""))) == "OK"
    assert name_of(ask(client, ID + field(PING, unknown))) == "OK"


def test_depth_within_an_unknown_field_is_only_bytes(client):
    nested = b""
    for _ in range(10_000):
        nested = field(30, nested)
    response = ask(client, ID + field(PING, b"") + nested)
    assert name_of(response) in ("OK", INVALID) and response.call_id == 9


def test_wrong_wire_types(server, client):
    """A known number with another wire type: refused, or skipped as protobuf does; never read."""
    spend = server.spend("victim")
    tail = field(1, "victim")
    for message, codes in {
        field(CALL_ID, b"\x09") + field(PING, b""): {INVALID},
        ID + uint(PING, 1): {INVALID, "UNIMPLEMENTED"},
        ID + key(PING, FIXED32) + b"1234": {INVALID, "UNIMPLEMENTED"},
        ID + uint(RECORD, 5): {INVALID, "UNIMPLEMENTED"},
        ID + field(RECORD, tail + uint(5, 1)): {INVALID},
        ID + field(RECORD, tail + key(5, FIXED32) + struct.pack("<f", 1)): {INVALID},
        ID + field(RECORD, tail + field(5, struct.pack("<d", 1))): {INVALID},
        ID + field(RECORD, uint(1, 7) + double(5, 1.0)): {INVALID},
        ID + field(TIMEOUT_MS, b"1") + field(PING, b""): {INVALID, "OK"},
        ID + key(TIMEOUT_MS, FIXED64) + b"12345678" + field(PING, b""): {INVALID, "OK"},
        ID + field(FILTER, uint(1, 3)): {INVALID, "OK"},
        ID + field(FILTER, key(2, FIXED64) + b"12345678"): {INVALID, "OK"},
    }.items():
        response = ask(client, message)
        assert name_of(response) in codes, (message, response)
    assert server.spend("victim") == spend


def test_random_garbage_in_frames(client):
    """Each frame has exactly one answer."""
    seed = int(os.environ.get("SEED", "20261122"))
    print("SEED", seed)
    chance = random.Random(seed)
    for _ in range(3000):
        garbage = chance.randbytes(chance.choice((1, 2, 3, 8, 30, 300)))
        client.send_frame(garbage)
        assert name_of(client.receive()) in (INVALID, "UNIMPLEMENTED"), garbage.hex()
    assert ask(client, ping(1)).call_id == 1


def test_mutated_requests(server, client):
    """Bits flipped, bytes cut, copied and swapped in real requests: one answer each, in step."""
    seed = int(os.environ.get("SEED", "20261122"))
    print("SEED", seed)
    chance = random.Random(seed)
    originals = [pb.Request(call_id=300, timeout_ms=60_000, **method).SerializeToString()
                 for method in (
        dict(ping={}), HEAVY, dict(record_spend=dict(
            provider="mutant", tags=["mutant"], cost_usd=0.5, idempotency_key="k")),
        dict(filter_deployments=dict(deployments=[dict(id="a", model="openai/gpt-4o")] * 3,
                                     tags=["good", "bad"], estimated_cost_usd=0.1)),
        dict(get_provider_budgets=dict(providers=["openai"], page_size=1, include_tags=True)))]
    known = set(pb.Status.Code.keys()) - {"INTERNAL", "UNKNOWN"}
    for _ in range(4000):
        data = bytearray(chance.choice(originals)[:chance.choice((40, 200, 10**6))])
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            kind = chance.randrange(4)
            if kind == 0:
                data[at] ^= 1 << chance.randrange(8)
            elif kind == 1:
                data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
            elif kind == 2:
                data[at:at] = data[max(0, at - chance.randint(1, 9)):at]
            elif len(data) > 1:
                del data[at]
        client.send_frame(bytes(data))
        assert name_of(client.receive()) in known, data.hex()
    assert ask(client, ping(1)).call_id == 1


def test_raw_garbage_streams(server):
    """Lengths and bodies that do not fit; what comes back before the end is whole responses."""
    seed = int(os.environ.get("SEED", "20261122"))
    print("SEED", seed)
    chance = random.Random(seed)
    for _ in range(200):
        with server.client() as client:
            stream = b"".join(
                struct.pack(">I", chance.choice((0, 1, 5, 100, 70_000)))
                + chance.randbytes(chance.randrange(120)) for _ in range(20))
            client.socket.sendall(stream)
            client.socket.shutdown(socket.SHUT_WR)
            while client.reader.peek(1):
                assert name_of(client.receive()) in (INVALID, "UNIMPLEMENTED", EXHAUSTED)


# Counts, names, amounts


def test_deployments_in_a_request(client):
    deployments = [dict(id=f"d{i}", model="openai/gpt-4o") for i in range(1024)]
    response = client.call(filter_deployments=dict(deployments=deployments))
    assert list(response.filter_deployments.allowed) == list(range(1024))
    for count in (1025, 5000):
        deployments = [dict(id="d")] * count
        response = client.call(filter_deployments=dict(deployments=deployments))
        assert name_of(response) == INVALID and "1024" in response.status.message.replace(",", "")
    assert code_of(client.call(ping={})) == OK


def test_tags_in_a_request(server, client):
    before = server.spend("good", "tags")
    tags = ["good"] * 256
    assert code_of(client.call(record_spend=dict(tags=tags, cost_usd=1))) == OK
    assert server.spend("good", "tags") == before + 1
    assert code_of(client.call(filter_deployments=dict(deployments=[{}], tags=tags))) == OK
    for method in (
        dict(record_spend=dict(tags=tags + ["good"], cost_usd=1)),
        dict(filter_deployments=dict(deployments=[{}], tags=tags + ["good"])),
        dict(filter_deployments=dict(tags=[f"t{i}" for i in range(5000)])),
        dict(get_provider_budgets=dict(include_tags=True, tags=tags + ["good"])),
    ):
        response = client.call(**method)
        assert name_of(response) == INVALID and "256" in response.status.message, method
    assert server.spend("good", "tags") == before + 1


def test_denials_past_the_bound_are_counted(client):
    response = client.call(**HEAVY)
    result = response.filter_deployments
    assert name_of(response) == EXHAUSTED and not result.allowed
    assert len(result.denials) == 1024
    assert result.denials_omitted == 1024 * 256 - 1024
    assert [(d.deployment, d.name) for d in result.denials[:257]] == [
        (0, tag) for tag in SPENT_TAGS] + [(1, SPENT_TAGS[0])]
    message = response.status.message
    assert len(message.encode()) <= 8192
    more = re.search(r"\.\.\. and ([\d,]+) more\s*$", message)
    assert more, message[-200:]
    shown = message.count("Exceeded budget for tag=")
    assert shown + int(more[1].replace(",", "")) == 1024 * 256 and shown > 10


def test_no_response_is_longer_than_1_mib(client):
    """1,024 configured candidates with the longest names, all denied by long names."""
    for method in (dict(filter_deployments=dict(model_name=LONG_NAME)),
                   dict(filter_deployments=dict(model_name=LONG_NAME, tags=SPENT_TAGS)),
                   dict(get_provider_budgets=dict(include_deployments=True, include_tags=True))):
        client.send(**method)
        length, = struct.unpack(">I", client.read(4))
        assert length <= 2**20
        response = pb.Response.FromString(client.read(length))
        if "filter_deployments" in method and name_of(response) != "FAILED_PRECONDITION":
            result = response.filter_deployments
            assert name_of(response) == EXHAUSTED and not result.allowed
            assert len(result.denials) + result.denials_omitted == 1024
        elif "get_provider_budgets" in method:
            assert name_of(response) == "OK"
        assert code_of(client.call(ping={})) == OK


STRANGE = {
    "257 bytes": b"openai".ljust(257, b"x"), "16 KiB": b"x" * 16_384,
    "257 bytes of UTF-8": "é".encode() * 129, "not UTF-8": b"open\xffai",
    "surrogate": b"\xed\xa0\x80", "overlong": b"\xc0\xaf", "cut off": b"openai\xe2\x82",
    "newline": b"openai\n", "NUL": b"openai\0", "NUL inside": b"good\0openai", "only NUL": b"\0",
    "escape": b"\x1b[31mopenai", "DEL": b"openai\x7f", "tab": b"\topenai",
}


@pytest.mark.parametrize("kind", STRANGE)
def test_strange_names_match_nothing_and_stop_nothing(server, client, kind):
    name = STRANGE[kind]
    before = server.budgets()

    def request(method, body):
        client.send_frame(uint(CALL_ID, 50) + field(method, body))
        response = client.receive()
        assert (code_of(response), response.call_id) == (OK, 50), (method, response)
        return response

    # Alone they are names, even if nobody's.
    for number in (1, 2, 4):
        charged = request(RECORD, field(number, name) + double(5, 1.0)).record_spend
        assert charged.budgets_charged == 0
    # The rest of the request is charged.
    body = field(1, "openai") + field(2, name) + field(3, name) + field(4, name) + field(4, "good")
    assert request(RECORD, body + double(5, 1.0)).record_spend.budgets_charged == 2
    # An explicit provider, even a strange one, is not replaced by a derived one.
    body = field(1, name) + field(3, "openai/gpt-4o") + field(4, "good") + double(5, 1.0)
    assert request(RECORD, body).record_spend.budgets_charged == 1
    after = server.budgets()
    assert after["providers"]["openai"].spend_usd == before["providers"]["openai"].spend_usd + 1
    assert after["tags"]["good"].spend_usd == before["tags"]["good"].spend_usd + 2

    deployment = field(1, name) + field(2, name) + field(3, name) + field(4, name)
    result = request(FILTER, field(1, deployment) * 2 + field(2, name)).filter_deployments
    assert list(result.allowed) == [0, 1] and not result.denials
    result = request(BUDGETS, field(1, name) + field(6, name) + field(7, name)
                     + uint(2, 1) + uint(3, 1)).get_provider_budgets
    assert not result.providers and not result.deployments and not result.tags


@pytest.mark.parametrize("kind", STRANGE)
def test_keys_and_model_names_out_of_bounds(server, client, kind):
    name = STRANGE[kind]
    spend = server.spend("victim")
    for message in (
        field(RECORD, RECORD_BODY + field(6, name)),  # idempotency_key
        field(RECORD, RECORD_BODY + field(7, name)),  # reservation_id
        field(FILTER, field(3, name)),  # model_name
        field(FILTER, field(3, name) + field(1, field(1, "given"))),
    ):
        refused(client, ID + message, 9, times=1)
    assert server.spend("victim") == spend


def test_model_name_and_key_at_the_bound(client):
    response = client.call(filter_deployments=dict(model_name="u" * 256))
    assert name_of(response) == "NOT_FOUND"
    response = client.call(
        record_spend=dict(provider="openai", cost_usd=0, idempotency_key="k" * 256))
    assert code_of(response) == OK


def test_hundred_thousand_unknown_names_leave_no_trace(server, client):
    for start in range(0, 100_000, 250):
        tags = [f"unknown-{start + i}" for i in range(250)]
        response = client.call(record_spend=dict(
            provider=f"p{start}", deployment_id=f"d{start}", tags=tags, cost_usd=1))
        assert response.record_spend.budgets_charged == 0
    found = server.budgets()
    assert len(found["providers"]) == len(PROVIDERS) and len(found["tags"]) == len(TAGS)


# Many requests, slow readers, many connections


def test_timeout_passed_before_work_starts(server):
    """Heavy requests, and a record right behind them that waits for 1 ms only."""
    heavy = pb.Request(filter_deployments=dict(
        model_name="heavy", tags=SHORT_TAGS)).SerializeToString()
    codes = []
    for _ in range(10):
        before = server.spend("victim")
        with server.client() as client:
            stream = b"".join(frame(uint(CALL_ID, i) + heavy) for i in range(2, 22))
            late = pb.Request(call_id=1, timeout_ms=1,
                              record_spend=dict(provider="victim", cost_usd=1))
            client.socket.sendall(stream + frame(late.SerializeToString()))
            codes += [name_of(r) for r in (client.receive() for _ in range(21)) if r.call_id == 1]
        applied = server.spend("victim") - before
        assert applied == {"OK": 1, "DEADLINE_EXCEEDED": 0}[codes[-1]]
    assert "DEADLINE_EXCEEDED" in codes, codes


def test_timeout_that_has_not_passed(client):
    for timeout in (10_000, 2**32 - 1):
        assert code_of(client.call(timeout_ms=timeout, ping={})) == OK


def test_the_same_call_id_twice_under_way(server):
    """The second is INVALID_ARGUMENT while the first is under way, and free again after it."""
    record = frame(pb.Request(
        call_id=6, record_spend=dict(provider="victim", cost_usd=1)).SerializeToString())
    for _ in range(50):
        before = server.spend("victim")
        with server.client() as client:
            client.socket.sendall(record * 2)
            codes = sorted(name_of(client.receive()) for _ in range(2))
        assert codes in (["OK", "OK"], [INVALID, "OK"])
        assert server.spend("victim") == before + codes.count("OK")


def send_in_background(client, data):
    thread = threading.Thread(target=client.socket.sendall, args=(data,), daemon=True)
    thread.start()
    return thread


def test_ten_thousand_pipelined_requests_on_one_connection(server, client):
    """Sent without reading; more than 4,096 are held back, none is refused."""
    before = server.spend("victim")
    records = [pb.Request(call_id=i, record_spend=dict(
        provider="victim", cost_usd=0.25)).SerializeToString() for i in range(1, 10_001)]
    sender = send_in_background(client, b"".join(map(frame, records)))
    responses = [client.receive() for _ in range(10_000)]
    sender.join(10)
    assert {r.call_id for r in responses} == set(range(1, 10_001))
    assert {code_of(r) for r in responses} == {OK}
    assert server.spend("victim") == before + 2500


def test_reader_that_pauses_is_held_back_and_then_answered(buffering_server):
    """Some 60 MiB of answers that nobody reads for 3 s: they are not all made in advance."""
    server = buffering_server
    request = dict(get_provider_budgets=dict(include_tags=True, include_deployments=True))
    body = pb.Request(**request).SerializeToString()
    with server.client() as client, server.client() as other:
        count = 60 * 2**20 // client.call(**request).ByteSize()
        before, most = server.rss_kib(), 0
        sender = send_in_background(client, b"".join(
            frame(uint(CALL_ID, i) + body) for i in range(1, count + 1)))
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            most = max(most, server.rss_kib() - before)
            assert code_of(other.call(ping={})) == OK
        assert most <= BUFFERS_KIB, f"{most} KiB for one connection that does not read"
        assert {client.receive().call_id for _ in range(count)} == set(range(1, count + 1))
        sender.join(10)


def settled_descriptors(server):
    """How many the process has, once those of connections that have gone are closed."""
    counts = []

    def is_settled():
        counts.append(server.descriptors())
        return len(set(counts[-40:])) == 1 and len(counts) > 40

    eventually(is_settled)
    return counts[-1]


def test_reader_that_has_stopped_is_closed_after_ten_seconds(buffering_server):
    server = buffering_server
    request = dict(get_provider_budgets=dict(include_tags=True, include_deployments=True))
    body = pb.Request(**request).SerializeToString()
    descriptors = settled_descriptors(server)
    with server.client() as client:
        began = time.monotonic()
        client.socket.settimeout(None)
        stream = b"".join(frame(uint(CALL_ID, i) + body) for i in range(1, 1001))
        sent = []

        def send():
            try:
                client.socket.sendall(stream)
            except OSError as error:
                sent.append(error)  # reset, as it should be

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        eventually(lambda: server.descriptors() > descriptors)
        eventually(lambda: server.descriptors() <= descriptors, 20, "the connection's end")
        waited = time.monotonic() - began
        sender.join(5)
        assert not sender.is_alive()
    assert 9 <= waited <= 16, waited


def test_reader_that_takes_its_time_is_not_closed(start):
    """It takes a MiB each half second for 6 s, and may stand still for 3 s. (The kernel tells the
    server of room only in steps of a MiB or so.)
    A frame that the server itself stopped reading is not late for that."""
    server = start(config_text(PROVIDERS, TAGS, MODELS), "--stall-timeout", "3",
                   "--frame-timeout", "1", "--idle-timeout", "1")
    request = dict(get_provider_budgets=dict(include_tags=True, include_deployments=True))
    body = pb.Request(**request).SerializeToString()
    with unharmed(server, BUFFERS_KIB), server.client() as client:
        client.call(ping={})
        count = 150  # some 40 MiB of answers
        sender = send_in_background(client, b"".join(
            frame(padded(uint(CALL_ID, i) + body, 60_000)) for i in range(1, count + 1)))
        seen = set()
        for _ in range(12):
            began, taken = time.monotonic(), 0
            while taken < 2**20 and len(seen) < count:
                response = client.receive()
                taken += response.ByteSize()
                seen.add(response.call_id)
            with server.client() as other:  # nothing arrives there: half a second of patience
                assert not select.select([other.socket], [], [], 0.5)[0]
            assert time.monotonic() - began < 5
        assert len(seen) < count
        seen |= {client.receive().call_id for _ in range(count - len(seen))}
        assert seen == set(range(1, count + 1))
        sender.join(10)


@pytest.mark.parametrize("bound", ["1", "7"])
def test_requests_under_way_are_a_setting(start, bound):
    server = start(config_text(PROVIDERS), "--max-requests-under-way", bound)
    with server.client() as client:
        sender = send_in_background(client, b"".join(frame(ping(i)) for i in range(1, 5001)))
        assert {client.receive().call_id for _ in range(5000)} == set(range(1, 5001))
        sender.join(10)


def test_counts_and_sizes_are_settings(start):
    server = start(config_text(PROVIDERS), "--max-request-bytes", "2000", "--max-deployments",
                   "2", "--max-tags", "3", "--frame-timeout", "0.5")
    with unharmed(server, TOLERANCE_KIB):
        with server.client() as client:
            assert name_of(ask(client, padded(ping(1), 2000))) == "OK"
            for fields, code in ((dict(deployments=[{}] * 2, tags=["a"] * 3), "OK"),
                                 (dict(deployments=[{}] * 3), INVALID),
                                 (dict(deployments=[{}], tags=["a"] * 4), INVALID)):
                assert name_of(client.call(filter_deployments=fields)) == code
            client.socket.sendall(struct.pack(">I", 2001))
            closed_after(client, EXHAUSTED)
        with server.client() as client:
            began = time.monotonic()
            client.socket.sendall(b"\0\0")
            closed_after(client, "DEADLINE_EXCEEDED")
            assert 0.4 < time.monotonic() - began < 3


@pytest.mark.alone
def test_two_thousand_silent_connections(server):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    clients = []
    try:
        clients += (server.client() for _ in range(2000))
        eventually(lambda: server.descriptors() >= 2000)
        began = time.monotonic()
        for _ in range(100):
            assert code_of(server.call(ping={})) == OK
        assert time.monotonic() - began < 5
        for client in clients[::200]:
            assert code_of(client.call(ping={})) == OK
    finally:
        for client in clients:
            client.close()


def test_connections_past_the_bound(start):
    server = start(config_text(PROVIDERS), "--max-connections", "8")
    with unharmed(server, TOLERANCE_KIB):
        clients = [server.client() for _ in range(8)]
        for client in clients:
            assert code_of(client.call(ping={})) == OK
        for _ in range(50):
            with server.client() as ninth:
                closed_after(ninth, "UNAVAILABLE")
        assert code_of(clients[7].call(ping={})) == OK
        clients.pop().close()

        def accepted():
            with server.client() as client:
                client.send(ping={})
                return name_of(client.receive()) == "OK"

        eventually(accepted, what="a place that was freed")
        for client in clients:
            client.close()


def test_idle_connection_is_closed_without_a_reply(start):
    server = start(config_text(PROVIDERS), "--idle-timeout", "2")
    with unharmed(server, TOLERANCE_KIB), server.client() as silent, server.client() as used:
        used.call(ping={})
        began = time.monotonic()
        with server.client() as busy:
            while not select.select([silent.socket], [], [], 0.25)[0]:
                assert code_of(busy.call(ping={})) == OK
                assert time.monotonic() - began < 8
            closed_after(silent)
            closed_after(used)
            assert code_of(busy.call(ping={})) == OK
        assert 1.5 <= time.monotonic() - began <= 6
