#!/usr/bin/env python3
"""Requests beside a slow Redis: p99 with it over p99 without, in paired runs. A report, no test:
machines with other work on them make it jump.

    BUDGETD_BIN=.build/release/budgetd python Tests/Integration/fleet_latency.py [pairs] [seconds]
"""

import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from budget_client import Client
from conftest import binary, config_text, running
from redis_servers import redis_service

CONFIG = config_text({"openai": (1e6, "1h")}, {"red": (1e6, "1h")},
                     [("d-0", "group", "openai/gpt-4o", 1e6, "1h")])
TROUBLES = {
    "1 s later": lambda proxy: proxy.delay(1.0),
    "30 % lost": lambda proxy: proxy.lose(0.3),
}
CLIENTS = 4


def requests(address, seconds, latencies):
    """Filters and records in turns, one at a time; keeps how long each took."""
    mine = []
    with Client(address) as client:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for request in (
                dict(filter_deployments=dict(
                    deployments=[dict(id="d-0", model_name="group", model="openai/gpt-4o")],
                    tags=["red"])),
                dict(record_spend=dict(provider="openai", deployment_id="d-0", tags=["red"],
                                       cost_usd=1e-9)),
            ):
                began = time.perf_counter()
                client.call(**request)
                mine.append(time.perf_counter() - began)
    latencies.extend(mine)


def percentile(address, seconds):
    latencies = []
    threads = [threading.Thread(target=requests, args=(address, seconds, latencies))
               for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    latencies.sort()
    return latencies[int(len(latencies) * 0.99)] * 1000, len(latencies)


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 3.0
    program = binary("BUDGETD_BIN", "budgetd")
    with tempfile.TemporaryDirectory() as directory, redis_service() as service, \
            running(program, Path(directory) / "node", CONFIG, "--redis", service.url) as node:
        percentile(node.rpc, 1.0)  # warm
        for name, trouble in TROUBLES.items():
            ratios = []
            for pair in range(pairs):
                well, count = percentile(node.rpc, seconds)
                trouble(service.proxy)
                ill, _ = percentile(node.rpc, seconds)
                service.proxy.heal()
                ratios.append(ill / well)
                print(f"{name}, pair {pair + 1}: p99 {well:.3f} ms without, {ill:.3f} ms with,"
                      f" ratio {ill / well:.2f} ({count} requests)", flush=True)
            good = sum(ratio <= 1.2 for ratio in ratios)
            print(f"{name}: median ratio {statistics.median(ratios):.2f};"
                  f" {good} of {pairs} pairs at most 1.2")


main()
