"""Very many open reservations: each costs little memory, none ends early or late, and others' requests
do not wait while very many end at once.

BUDGETD_MEASURE=1 measures on an otherwise idle machine, with optimised binaries: a million open, and
100,000 of them ending in one instant; prints figures and asserts them. Else the same at a size that says
nothing about time. Beside each figure of filters stands that of the same second before, without ends.
"""

import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from budget_client import pb
from conftest import LONG, OK, code_of, config_text

pytestmark = pytest.mark.alone  # what it measures is time and memory

MEASURES = os.environ.get("BUDGETD_MEASURE") == "1"
OPEN, AT_ONCE, SPREAD = (1_000_000, 100_000, 10_000) if MEASURES else (20_000, 5_000, 1_000)
SPREAD_MS, UNTIL_ONCE = (6_000, 8) if MEASURES else (500, 2)
BYTES, LATE_MS, STALL_MS = 200, 128, 20
HOUR = 3_600_000
DEPTH = 500


class Pipeline:
    """Reservations, very many at a time on one connection."""

    def __init__(self, server, provider):
        self.client, self.provider, self.sent = server.client(), provider, 0

    def reserve(self, count, ttl):
        """Makes so many that end after `ttl()` milliseconds, each with a key; when they end."""
        ends = []
        for first in range(0, count, DEPTH):
            chunk = []
            for _ in range(min(DEPTH, count - first)):
                self.sent += 1
                message = pb.Request(call_id=self.sent, reserve_spend=pb.ReserveSpendRequest(
                    provider=self.provider, tags=["team"], amount_usd=0.001, ttl_ms=ttl(),
                    idempotency_key=f"{self.provider}-{self.sent:08}")).SerializeToString()
                chunk.append(struct.pack(">I", len(message)) + message)
            self.client.socket.sendall(b"".join(chunk))
            for _ in chunk:
                response = self.client.receive()
                assert code_of(response) == OK, response
                ends.append(response.reserve_spend.expires_at_unix_ms)
        return ends


def standing(client, provider):
    response = client.call(get_provider_budgets={})
    (budget,) = [one for one in response.get_provider_budgets.providers if one.name == provider]
    return budget.open_reservations, budget.reserved_usd


class Beside:
    """Filters of another process, from an instant on for so many seconds."""

    def __init__(self, server, provider, begin, seconds):
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("filters_beside.py")), *map(str, (
                *server.rpc, provider, begin, seconds))], stdout=subprocess.PIPE, text=True)

    def figures(self):
        out, _ = self.process.communicate(timeout=LONG)
        assert self.process.returncode == 0
        return json.loads(out)


def watch(client, provider, ends):
    """Looks until all have ended; how late the latest was seen open, in milliseconds. None ends early."""
    ends, late = sorted(ends), 0.0
    while True:
        asked = time.time() * 1000
        left, _ = standing(client, provider)
        answered = time.time() * 1000
        # Two clocks' roundings: a millisecond each.
        early = sum(end > answered + 2 for end in ends)
        assert left >= early, f"{early - left} of {provider} ended early"
        if not left:
            return late
        late = max(late, asked - ends[len(ends) - left])
        assert late < LONG * 1000
        time.sleep(0.002)


def spoken(figures):
    return (f"{figures['count']} filters, median {figures['p50']:.3f} ms, 99.9 % within "
            f"{figures['p99.9']:.2f}, longest {figures['longest']:.2f}")


@pytest.mark.parametrize("durability", ["memory", "commit"] if MEASURES else ["commit"])
def test_a_million_open_ones(start, capsys, durability):
    names = ("kept", "spread", "burst")
    server = start(config_text({name: (1e6, "1d") for name in names}, {"team": (1e6, "1d")}),
                   "--durability", durability)
    with server.client() as client:
        # What the first ones make is not theirs alone.
        kept, spread, burst = [Pipeline(server, name) for name in names]
        for pipeline in (kept, spread, burst):
            watch(client, pipeline.provider, pipeline.reserve(100, lambda: 1000))
        empty = server.rss_kib()
        kept.reserve(OPEN - AT_ONCE - SPREAD, lambda: HOUR)
        # Ends of one after the other over some seconds.
        count = iter(range(SPREAD))
        late = watch(client, "spread", spread.reserve(
            SPREAD, lambda: 1000 + SPREAD_MS * next(count) // SPREAD))

        # And many in the same instant: each is sent with what is left until then.
        instant = (time.time_ns() // 10**9 + UNTIL_ONCE) * 1000 + 500
        ends = burst.reserve(
            AT_ONCE, lambda: instant - time.time_ns() // 10**6)
        each = (server.rss_kib() - empty) * 1024 / (OPEN - SPREAD)
        assert -(-max(ends) // 1000) == -(-min(ends) // 1000), "they end in the same second"
        assert standing(client, "burst")[0] == AT_ONCE, "made before they end"
        besides = [Beside(server, "burst", instant / 1000 - before, 1.2)
                   for before in (1.8, 0.2)]
        last = watch(client, "burst", ends)
        figures = [beside.figures() for beside in besides]
        assert standing(client, "kept")[0] == OPEN - AT_ONCE - SPREAD
        team = server.budgets()["tags"]["team"]
        assert team.open_reservations == OPEN - AT_ONCE - SPREAD
    with capsys.disabled():
        print(f"\n{durability}: {OPEN - SPREAD} open, {each:.0f} bytes each; {SPREAD} ended at most"
              f" {late:.0f} ms late; {AT_ONCE} within {max(ends) - min(ends)} ms, the last {last:.0f} ms"
              f" late\n  before: {spoken(figures[0])}\n  beside: {spoken(figures[1])}")
    if MEASURES:
        assert each <= BYTES
        assert late <= LATE_MS and last <= LATE_MS
        assert figures[1]["longest"] <= STALL_MS
