"""proto/README.md's claims about connections, order and retries, each as a client meets it."""

import select
import signal
import socket
import struct
from pathlib import Path

import pytest

from budget_client import pb
from conftest import OK, code_of, config_text, eventually, name_of
from wire_bytes import field, uint

CALL_ID, PING = 1, 21


@pytest.fixture
def server(start, request):
    durability = getattr(request, "param", "commit")
    providers = {f"p{i}": (1.0, "1d") for i in range(40)}
    return start(config_text(providers, {"red": (1.0, "1d")},
                             [("d4", "group", "p0/model", 1.0, "1d")]),
                 "--durability", durability)


def filter_of(provider):
    return dict(deployments=[dict(id="x", provider=provider)])


@pytest.mark.parametrize("server", ["commit", "memory"], indirect=True)
def test_a_filter_behind_a_record_in_one_write_sees_it(server):
    with server.client() as client:
        frames = b""
        for number in range(40):
            for body in (dict(record_spend=dict(provider=f"p{number}", cost_usd=1)),
                         dict(filter_deployments=filter_of(f"p{number}"))):
                client.last_call_id += 1
                message = pb.Request(call_id=client.last_call_id, **body).SerializeToString()
                frames += struct.pack(">I", len(message)) + message
        client.socket.sendall(frames)
        answers = {}
        for _ in range(80):
            response = client.receive()
            answers[response.call_id] = response
        for call_id in range(1, 81, 2):
            assert code_of(answers[call_id]) == OK
            assert name_of(answers[call_id + 1]) == "RESOURCE_EXHAUSTED", f"call {call_id + 1}"


@pytest.mark.parametrize("server", ["commit", "memory"], indirect=True)
def test_a_filter_on_another_connection_sees_an_answered_record(server):
    with server.client() as one, server.client() as other:
        for number in range(40):
            assert code_of(one.call(record_spend=dict(provider=f"p{number}", cost_usd=1))) == OK
            answer = other.call(filter_deployments=filter_of(f"p{number}"))
            assert name_of(answer) == "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize("message, status", [
    (b"", "UNIMPLEMENTED"), (field(PING, b""), "INVALID_ARGUMENT"),
    (b"\xff\xff\xff\xff", "INVALID_ARGUMENT"), (field(11, b"") + b"\x08", "INVALID_ARGUMENT"),
])
def test_replies_on_call_0_that_leave_the_connection_open(server, message, status):
    with server.client() as client:
        for _ in range(3):
            client.send_frame(message)
            client.send_frame(uint(CALL_ID, 7) + field(PING, b""))
            refusal, answer = client.receive(), client.receive()
            assert (refusal.call_id, name_of(refusal)) == (0, status)
            assert (answer.call_id, name_of(answer)) == (7, "OK")


@pytest.mark.parametrize("case, status", [
    ("too long", "RESOURCE_EXHAUSTED"), ("too slow", "DEADLINE_EXCEEDED"),
    ("too many", "UNAVAILABLE"),
])
def test_replies_on_call_0_behind_which_the_connection_closes(start, case, status):
    server = start(config_text({"p": (1.0, "1d")}), "--max-connections", "1")
    with server.client() as client:
        assert code_of(client.call(ping={})) == OK
        answered = client
        if case == "too long":
            client.socket.sendall(struct.pack(">I", 300_000) + b"x")
        elif case == "too slow":
            client.socket.sendall(b"\0\0")
        else:
            answered = server.client()
        refusal = answered.receive()
        assert (refusal.call_id, name_of(refusal)) == (0, status)
        assert answered.socket.recv(1) == b"", "the server closes"
        answered.close()


def test_a_ping_now_and_then_keeps_a_connection(start):
    server = start(config_text({"p": (1.0, "1d")}), "--idle-timeout", "2")
    with server.client() as kept, server.client() as idle:
        # As long as it takes the other to be closed, and then once more.
        while not select.select([idle.socket], [], [], 0.5)[0]:
            assert code_of(kept.call(ping={})) == OK
        assert idle.socket.recv(1) == b"", "closed without a word"
        assert code_of(kept.call(ping={})) == OK


@pytest.mark.parametrize("fields, charged", [
    (dict(deployment_id="d4"), 2), (dict(provider="p1"), 1), (dict(tags=["red"]), 1),
    (dict(model="openai/gpt-4o"), 1), (dict(deployment_id="nobody's"), 0),
])
def test_one_name_is_enough_for_a_record(start, fields, charged):
    server = start(config_text({"p1": (1.0, "1d"), "openai": (1.0, "1d")}, {"red": (1.0, "1d")},
                               [("d4", "group", "openai/gpt-4o", 1.0, "1d")]))
    with server.client() as client:
        answer = client.call(record_spend=dict(cost_usd=0.1, **fields))
        assert code_of(answer) == OK, answer
        assert answer.record_spend.budgets_charged == charged
        refused = client.call(record_spend=dict(**fields))
        assert name_of(refused) == "INVALID_ARGUMENT" and "cost_usd" in refused.status.message


@pytest.mark.parametrize("server", ["commit", "memory"], indirect=True)
def state_of(pid):
    """The kernel's letter for what a process does."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_a_record_that_a_silent_node_took_counts_once(server):
    """The node does not answer in time; the same key later, to the same node, adds nothing."""
    record = dict(provider="p0", cost_usd=0.25, idempotency_key="made-before-the-first-send")
    with server.client(timeout=0.5) as client:
        server.process.send_signal(signal.SIGSTOP)
        try:
            # The signal reaches each thread at its next return from the kernel.
            eventually(lambda: state_of(server.pid) == "T", what="the process is stopped")
            client.send(record_spend=record)
            with pytest.raises(socket.timeout):
                client.receive()
        finally:
            server.process.send_signal(signal.SIGCONT)
    with server.client() as client:
        for _ in range(3):
            assert code_of(client.call(record_spend=record)) == OK
        assert client.call(record_spend=record).record_spend.duplicate
    # Shown once it is on the disk, which under `memory` is a moment later.
    eventually(lambda: server.spend("p0") > 0, what="the spend is shown")
    assert server.spend("p0") == 0.25


def test_what_a_journal_sends_again_after_a_restart_counts_once(start, tmp_path):
    config = config_text({"p": (1.0, "1d")})
    records = [dict(provider="p", cost_usd=0.01, idempotency_key=f"key-{i}") for i in range(20)]
    server = start(config, directory=tmp_path / "node")
    with server.client() as client:
        for record in records[:12]:
            assert code_of(client.call(record_spend=record)) == OK
    server.kill()
    server = start(config, directory=tmp_path / "node")
    with server.client() as client:
        answers = [client.call(record_spend=record) for record in records]
    assert [a.record_spend.duplicate for a in answers] == [True] * 12 + [False] * 8
    assert server.spend("p") == 0.2
