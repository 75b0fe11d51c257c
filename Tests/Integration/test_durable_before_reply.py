"""A trace of system calls: between a record's arrival and its reply the WAL is written and an
fdatasync of it returns 0. SIGKILL alone cannot show this, since the page cache outlives it."""

import os
import random
import re
import threading
import time

import pytest

from conftest import running
from faults import SYNCS, Trace, stand_in
from ledger_clients import ACKNOWLEDGED, CONFIG, Books, LedgerFault, Pipeline, in_threads

SEED = int(os.environ.get("BUDGETD_SEED", time.time_ns() % 10**6))
RECORDS, CONNECTIONS, EACH = 1000, 8, 60
READS = "recvfrom,recvmsg,read,readv"
WRITES = "sendto,sendmsg,sendmmsg,write,writev"
FILE_WRITES = "pwrite64,pwritev,pwritev2"
LINE = re.compile(r"^(?P<thread>\d+) +\d+\.\d+ (?P<text>.*)$")
CALL = re.compile(r"^(?P<call>\w+)\((?P<arguments>.*)$")
RESUMED = re.compile(r"^<\.\.\. (?P<call>\w+) resumed>(?P<arguments>.*)$")
RESULT = re.compile(r"\) += (?P<result>-?\d+|\?)[^=]*$")
DESCRIPTOR = re.compile(r"^\d+<(?P<what>(?:[^->]|->|-(?!>))*)>")


class Call:
    """One system call: places in the trace where it was entered and left."""

    def __init__(self, name, arguments, entered):
        self.name, self.entered, self.left, self.result = name, entered, None, None
        found = DESCRIPTOR.match(arguments)
        self.file = found["what"] if found else ""

    def leave(self, text, place):
        found = RESULT.search(text)
        self.left, self.result = place, found["result"] if found else "?"


def calls_in(text):
    """All calls in the order in which they were entered. strace lets no thread go on before its
    call is in the file, so the order of cause and effect is the order in the file."""
    calls, unfinished = [], {}
    for place, line in enumerate(text.splitlines()):
        found = LINE.match(line)
        if not found:
            continue
        thread, line = found["thread"], found["text"]
        if resumed := RESUMED.match(line):
            call = unfinished.pop(thread, None)
            if call is not None:
                assert call.name == resumed["call"], line
                call.leave(line, place)
        elif started := CALL.match(line):
            call = Call(started["call"], started["arguments"], place)
            calls.append(call)
            if line.endswith("<unfinished ...>"):
                unfinished[thread] = call
            else:
                call.leave(line, place)
    return calls


def judge(text, port, peers):
    """Raises LedgerFault where a reply left before its record was synced; returns how many replies
    were judged. Each of `peers` (ports) had one record under way at a time."""
    arrived, written, synced = {}, {}, {}
    judged = 0
    events = []
    for call in calls_in(text):
        if call.name in READS.split(",") + SYNCS.split(",") and call.left is not None:
            events.append((call.left, "left", call))
        if call.name in WRITES.split(",") + FILE_WRITES.split(",") + SYNCS.split(","):
            events.append((call.entered, "entered", call))
    sockets = {f":{port}->127.0.0.1:{peer}]": peer for peer in peers}
    for _, moment, call in sorted(events, key=lambda event: event[0]):
        peer = next((sockets[end] for end in sockets if call.file.endswith(end)), None)
        if peer is not None and call.name in READS.split(",") and moment == "left":
            if int(call.result) > 0:
                arrived[peer] = True
                written.pop(peer, None)
                synced.pop(peer, None)
        elif peer is not None and moment == "entered" and arrived.pop(peer, None):
            judged += 1
            if not synced.pop(peer, False):
                missing = ("no sync of the WAL that returned 0 came after it was written"
                           if written.get(peer) else "the WAL was not even written")
                raise LedgerFault(f"reply {judged} left before its record was on disk: {missing};"
                                  f" strace line {call.entered + 1} (seed {SEED})")
        elif not call.file.endswith("-wal"):
            continue
        elif call.name in FILE_WRITES.split(",") + WRITES.split(","):
            written.update({peer: call.entered for peer in arrived})
        elif moment == "left" and call.result == "0":
            # Written before this sync began: it is covered.
            synced.update({peer: True for peer, place in written.items() if place < call.entered})
    return judged


def traced(server, output):
    """Records one by one on one connection, then on several; the trace judged."""
    books = Books(SEED)
    pipelines = [Pipeline(server.rpc) for _ in range(CONNECTIONS)]
    peers = [pipeline.socket.getsockname()[1] for pipeline in pipelines]
    start = threading.Barrier(CONNECTIONS)

    def record(pipeline, rng, count):
        for _ in range(count):
            ((one, response),) = pipeline.exchange([books.new(rng)])
            assert books.settle(one, response), response

    def record_together(number, pipeline):
        start.wait(10)
        record(pipeline, random.Random(f"{SEED}/{number}"), EACH)

    calls = ",".join([READS, WRITES, FILE_WRITES, SYNCS])
    with Trace(server, output, "-ttt", "-yy", "-s", "0", "-e", f"trace={calls}",
               "-e", "signal=none") as trace:
        # The tracer may miss the call that a thread is in when it comes: one record more for each.
        for number, pipeline in enumerate(pipelines):
            record(pipeline, random.Random(f"first {SEED}/{number}"), 1)
        record(pipelines[0], random.Random(SEED), RECORDS - CONNECTIONS * EACH)
        in_threads([(record_together, *one) for one in enumerate(pipelines)])
    for pipeline in pipelines:
        pipeline.close()
    books.raise_faults()
    assert len(books.of(ACKNOWLEDGED)) == RECORDS + CONNECTIONS
    judged = judge(trace.text(), server.rpc[1], peers)
    assert RECORDS <= judged <= RECORDS + CONNECTIONS, (
        f"the trace shows {judged} replies to {RECORDS + CONNECTIONS} records")
    return books


def test_each_reply_comes_after_a_sync_of_the_wal(start, tmp_path):
    server = start(CONFIG, "--durability", "commit")
    traced(server, tmp_path / "trace").audit(server)


def test_the_trace_tells_memory_from_commit(start, tmp_path):
    """The same trace of a server that need not wait fails, so the one above can fail."""
    server = start(CONFIG, "--durability", "memory")
    with pytest.raises(LedgerFault, match="reply .* left before its record was on disk"):
        traced(server, tmp_path / "trace")


@pytest.mark.parametrize(("mistake", "says"), [
    ("unsynced", "no sync of the WAL"), ("early-reply", "left before its record was on disk")])
def test_the_trace_catches(tmp_path, mistake, says):
    with stand_in(running, tmp_path / "node", CONFIG, mistake) as server:
        with pytest.raises(LedgerFault, match=says):
            traced(server, tmp_path / "trace")


def test_the_trace_passes_a_small_correct_ledger(tmp_path):
    with stand_in(running, tmp_path / "node", CONFIG, "") as server:
        traced(server, tmp_path / "trace").audit(server)
