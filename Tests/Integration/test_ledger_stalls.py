"""Nothing that the ledger does beside committing holds commits up: folds, copies, very many budgets.

BUDGETD_MEASURE=1 measures on an otherwise idle machine, with optimised binaries: 100,000 budgets,
5,000 records a second for 60 s, a backup in the middle; prints how long answers took, and asserts it.
Else the same at a size that says nothing about time: what was answered is there, once, also after a
kill in the midst of it.
"""

import os
import random
import select
import socket
import sqlite3
import struct
import threading
import time
from collections import Counter

import pytest

from budget_client import pb
from conftest import LONG, OK, code_of, config_text, eventually, run

MEASURES = os.environ.get("BUDGETD_MEASURE") == "1"
SEED = int(os.environ.get("BUDGETD_SEED", time.time_ns() % 10**6))
CENT = 0.01


def config(budgets):
    return config_text(tags={f"end-user-{n}": (1000.0, "30d") for n in range(budgets)})


class Steady:
    """Records of a cent at a steady rate, each charged to one of many budgets.

    Frames are made before, and one thread sends and receives: an answer's time runs from the
    instant that its record was due, whatever kept it from being sent.
    """

    def __init__(self, seed, budgets, count):
        rng = random.Random(seed)
        self.tags = [rng.randrange(budgets) for _ in range(count)]
        self.frames = [self.frame(seed, number) for number in range(count)]
        self.answered = {}

    def frame(self, seed, number):
        message = pb.Request(call_id=number + 1, record_spend=pb.RecordSpendRequest(
            cost_usd=CENT, tags=[f"end-user-{self.tags[number]}"],
            idempotency_key=f"record-{seed}-{number}")).SerializeToString()
        return struct.pack(">I", len(message)) + message

    def run(self, address, rate, numbers=None, connections=8, halfway=lambda: None,
            until=lambda: False):
        """Sends the records that are left; how long each answer took, in seconds.

        Ends early where `until()` says so or a connection is lost.
        """
        left = list(numbers if numbers is not None else range(len(self.frames)))
        sockets = [socket.create_connection(address, 20) for _ in range(connections)]
        poll, buffers, times = select.poll(), {}, []
        for one in sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            poll.register(one, select.POLLIN)
            buffers[one.fileno()] = (one, bytearray())
        began, sent, answered, is_halfway = time.monotonic(), 0, 0, False
        due = {}
        try:
            while answered < len(left) and not until():
                assert time.monotonic() - began < len(left) / rate + LONG, f"{answered} answers"
                now = time.monotonic()
                wanted = min(len(left), int((now - began) * rate) + 1)
                for index in range(sent, wanted):
                    due[left[index]] = began + index / rate
                    sockets[index % connections].sendall(self.frames[left[index]])
                sent = wanted
                if not is_halfway and sent * 2 >= len(left):
                    is_halfway = True
                    halfway()
                for descriptor, _ in poll.poll(1):
                    answered += self.receive(*buffers[descriptor], due, times)
        except OSError:
            pass
        finally:
            for one in sockets:
                one.close()
        return times

    def receive(self, one, buffer, due, times):
        data = one.recv(1 << 18)
        if not data:
            raise ConnectionResetError
        now = time.monotonic()
        buffer += data
        start, count = 0, 0
        while len(buffer) - start >= 4:
            (length,) = struct.unpack_from(">I", buffer, start)
            if len(buffer) - start - 4 < length:
                break
            response = pb.Response.FromString(bytes(buffer[start + 4:start + 4 + length]))
            start += 4 + length
            number = response.call_id - 1
            assert code_of(response) == OK, response.status
            times.append(now - due[number])
            self.answered[number] = response.record_spend.duplicate
            count += 1
        del buffer[:start]
        return count

    def expected(self, numbers):
        """Cents by budget."""
        return Counter(f"end-user-{self.tags[number]}" for number in numbers)


def shown(server):
    """Cents by budget, without those of nothing."""
    tags = server.budgets(include_deployments=False)["tags"]
    return Counter({name: round(budget.spend_usd / CENT) for name, budget in tags.items()
                    if budget.spend_usd})


def percentile(times, part):
    return sorted(times)[min(len(times) - 1, int(len(times) * part))]


@pytest.mark.parametrize("durability", ["commit", "memory"])
def test_records_at_a_steady_rate_with_a_backup_in_the_middle(
        start, budgetctl, tmp_path, durability):
    budgets, rate, seconds = (100_000, 5_000, 60) if MEASURES else (2_000, 1_000, 2)
    server = start(config(budgets), "--durability", durability)
    steady = Steady(SEED, budgets, rate * seconds)
    if MEASURES:
        # Every budget has its window, and all of them wait for their first fold.
        steady_start = Steady(SEED + 1, 1, budgets)
        steady_start.tags = list(range(budgets))
        steady_start.frames = [steady_start.frame(SEED + 1, n) for n in range(budgets)]
        steady_start.run(server.rpc, 20_000)
    results = []

    def back_up():
        began = time.monotonic()
        results.append((run(budgetctl, "--server", "%s:%d" % server.rpc, "--timeout", "60",
                            "backup", "middle", timeout=90), time.monotonic() - began))

    backup = threading.Thread(target=back_up)
    times = steady.run(server.rpc, rate, halfway=backup.start)
    backup.join()
    ((result, took),) = results
    assert result.returncode == 0, result
    assert len(times) == rate * seconds and not any(steady.answered.values())
    figures = {name: percentile(times, part) * 1000 for name, part in
               [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1)]}
    print(f"{durability}: {rate} records a second on {budgets} budgets for {seconds} s, backup "
          f"{took:.2f} s: " + ", ".join(f"{name} {ms:.2f} ms" for name, ms in figures.items()))
    copy = sqlite3.connect(
        f"file:{server.directory}/data/backups/middle?mode=ro&immutable=1", uri=True)
    assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    copy.close()
    if MEASURES:
        assert figures["p99.9"] <= 25 and figures["max"] <= 100, figures
    else:
        # Under `memory` a record is answered before it is spend.
        expected = steady.expected(range(len(times)))
        eventually(lambda: shown(server) == expected, LONG, "what was answered is shown")


@pytest.mark.parametrize("round", range(2))
def test_a_kill_in_the_midst_of_folds_and_copies(start, budgetctl, tmp_path, round):
    """Blocks of budgets are folded at different times: whatever is on disk, a start adds up."""
    budgets, count = 2_000, 6_000
    rng = random.Random(SEED + round)
    directory = tmp_path / "node"
    steady = Steady(SEED + round, budgets, count)
    left = list(range(count))
    for life in range(3):
        server = start(config(budgets), "--durability", "commit", directory=directory)
        goal = len(steady.answered) + rng.randrange(300, 1_500)
        stop = threading.Event()

        def copies():
            number = 0
            while not stop.is_set():
                number += 1
                run(budgetctl, "--server", "%s:%d" % server.rpc, "backup",
                    f"life-{life}-{number}", timeout=LONG)

        thread = threading.Thread(target=copies)
        thread.start()
        steady.run(server.rpc, 3_000, left, until=lambda: len(steady.answered) >= goal)
        server.kill()
        stop.set()
        thread.join()
        assert len(steady.answered) >= goal, f"life {life}, seed {SEED + round}"
        for name in (directory / "data" / "backups").glob("life-*"):
            copy = sqlite3.connect(f"file:{name}?mode=ro&immutable=1", uri=True)
            assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)], name
            copy.close()
            name.unlink()
        # Those that were answered, and some that the kill cut off, are sent again.
        left = rng.sample(sorted(steady.answered), 200) + [
            number for number in range(count) if number not in steady.answered]
        known = set(steady.answered)
    server = start(config(budgets), "--durability", "commit", directory=directory)
    steady.run(server.rpc, 5_000, left)
    assert len(steady.answered) == count
    assert all(steady.answered[number] for number in left if number in known)
    assert shown(server) == steady.expected(range(count)), f"seed {SEED + round}"
    eventually(lambda: server.call(ping={}).ping.ready)
