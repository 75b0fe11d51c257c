"""Drives the Python client: ../README.md says how."""

import asyncio
import json
import logging
import os
import pathlib
import sys

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "python" / "src"
sys.path.insert(0, os.environ.get("BUDGETD_PYTHON_CLIENT", str(SOURCES)))

from budgetd import BudgetError, Candidate, Client  # noqa: E402

SECONDS = {"filter_timeout_ms": "filter_timeout", "reserve_timeout_ms": "reserve_timeout",
           "record_timeout_ms": "record_timeout", "call_timeout_ms": "call_timeout",
           "connect_timeout_ms": "connect_timeout", "pause_ms": "pause",
           "longest_pause_ms": "longest_pause"}


class Driver:
    def __init__(self):
        self.client, self.holds = None, {}

    async def open(self, addresses, options):
        given = {SECONDS.get(name, name): value / 1000 if name in SECONDS else value
                 for name, value in options.items()}
        self.client = Client(addresses, **given)
        await self.client.__aenter__()
        return {}

    async def filter(self, candidates=(), **fields):
        answer = await self.client.filter([Candidate(**one) for one in candidates], **fields)
        return {"allowed": answer.allowed, "message": answer.message,
                "unavailable": answer.unavailable, "denials": denials(answer)}

    async def reserve(self, hold, candidates=None, ttl_ms=0, **fields):
        if candidates is not None:
            candidates = [Candidate(**one) for one in candidates]
        made = await self.client.reserve(candidates, ttl=ttl_ms / 1000, **fields)
        self.holds[hold] = made
        return {"id": made.id, "chosen": made.chosen, "reserved": made.reserved,
                "unavailable": made.unavailable}

    async def settle(self, hold, cost, **fields):
        return {"key": self.holds[hold].settle(cost, **fields)}

    async def release(self, hold):
        self.holds[hold].release()
        return {}

    async def extend(self, hold, ttl_ms):
        return {"expires_at_ms": await self.holds[hold].extend(ttl_ms / 1000)}

    async def record(self, **fields):
        return {"key": self.client.record(**fields)}

    async def flush(self, timeout_ms):
        return {"owed": await self.client.flush(timeout_ms / 1000)}

    async def budgets(self, **fields):
        found = await self.client.budgets(**fields)
        return {scope: [{"name": one.name, "spend": one.spend, "limit": one.limit,
                         "remaining": one.remaining, "period": one.period}
                        for one in getattr(found, scope)]
                for scope in ("providers", "deployments", "tags", "models", "pools", "total")}

    async def ping(self):
        pong = await self.client.ping()
        return {"version": pong.version, "node_id": pong.node_id, "ready": pong.ready,
                "methods": pong.methods}

    async def stats(self):
        stats = self.client.stats
        return {name: getattr(stats, name) for name in stats.__slots__}

    async def close(self, timeout_ms):
        return {"owed": await self.client.close(timeout_ms / 1000)}

    async def answer(self, command):
        try:
            result = {"result": await getattr(self, command["op"])(**command["args"])}
        except BudgetError as error:
            told = {"kind": error.kind, "message": str(error)}
            if error.kind == "denied":
                told["denials"] = denials(error)
            result = {"error": told}
        print(json.dumps({"id": command["id"], **result}), flush=True)


def denials(of):
    return [{"deployment": one.deployment, "scope": one.scope, "name": one.name,
             "spend": one.spend, "limit": one.limit} for one in of.denials]


async def main():
    logging.basicConfig(level=logging.CRITICAL)
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    driver, running = Driver(), set()
    while line := await reader.readline():
        task = asyncio.ensure_future(driver.answer(json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)


asyncio.run(main())
