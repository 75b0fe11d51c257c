#!/usr/bin/env python3
"""Filters a second of one loop: `bench.py HOST:PORT [SECONDS]`, 64 under way, 8 candidates, 2 tags.
Prints the wall clock's rate and that of this process' own processor time."""

import asyncio
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "src"))

from budgetd import Candidate, Client  # noqa: E402

UNDER_WAY, CANDIDATES = 64, 8


async def main(server, seconds):
    candidates = [Candidate(f"d{n}", "gpt", "openai/gpt-4o", "openai") for n in range(CANDIDATES)]
    async with Client(server, on_unavailable="closed", filter_timeout=5) as budgets:
        await budgets.ping()
        end, count = time.perf_counter() + seconds, 0

        async def ask():
            nonlocal count
            while time.perf_counter() < end:
                answer = await budgets.filter(candidates, tags=("team:a", "user:b"))
                assert len(answer.allowed) == CANDIDATES
                count += 1

        begun, worked = time.perf_counter(), time.process_time()
        await asyncio.gather(*(ask() for _ in range(UNDER_WAY)))
        took, worked = time.perf_counter() - begun, time.process_time() - worked
        print(f"{count / took:,.0f} filters/s, {worked / count * 1e6:.1f} us of this process each "
              f"({count / worked:,.0f}/s of processor time)")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 3.0))
