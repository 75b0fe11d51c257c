#!/usr/bin/env python3
"""A request through LiteLLM's proxy with budgetd's plug-in beside one with LiteLLM's own
RouterBudgetLimiting on Redis, in turns. A report, no test: machines with other work on them make it jump.

    BUDGETD_BIN=.build/release/budgetd python Tests/Integration/litellm_latency.py [requests] [at once]

Of each pair one request goes to either proxy, the first to each in turn. Prints the medians, the median of
the pairs' ratios with the range that half of the resampled runs are in, and the proxies' own processor
time a request, which other work on the machine does not lengthen much."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from conftest import binary, running
from litellm_provider import Provider
from litellm_proxy import KEY, Proxy, deployment
from redis_groups import free_ports

WARM, TICKS = 60, os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def redis(directory):
    """One with nothing between it and LiteLLM; its port."""
    port = free_ports(1)[0]
    process = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
                               cwd=directory, stdout=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def config(provider, **router):
    """Two deployments with budgets of their own, of one provider with a budget."""
    models = [deployment(provider, name, "gpt", max_budget=1e6, budget_duration="1d")
              for name in ("d1", "d2")]
    return {"model_list": models, "router_settings": {
        "provider_budget_config": {"openai": {"budget_limit": 1e6, "time_period": "1d"}}, **router}}


class Caller:
    """One kept connection to one proxy."""

    def __init__(self, proxy):
        self.connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
        self.used = 0.0

    def milliseconds(self):
        # The proxy closes a connection that was idle for 5 s.
        if time.monotonic() - self.used > 2:
            self.connection.close()
            self.connection.connect()
        body = json.dumps({"model": "gpt", "messages": [{"role": "user", "content": "hello"}]})
        begun = time.perf_counter()
        self.connection.request("POST", "/v1/chat/completions", body, {
            "Authorization": f"Bearer {KEY}", "Content-Type": "application/json"})
        response = self.connection.getresponse()
        text = response.read()
        took = time.perf_counter() - begun
        self.used = time.monotonic()
        assert response.status == 200, text
        return took * 1000


def processor_seconds(proxy):
    fields = Path(f"/proc/{proxy.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def pairs(proxies, count):
    """(milliseconds with budgetd, milliseconds with LiteLLM's own) of so many pairs."""
    callers = [Caller(one) for one in proxies]
    found = []
    for number in range(count):
        first = number % 2
        one = callers[first].milliseconds()
        other = callers[1 - first].milliseconds()
        found.append((other, one) if first else (one, other))
    return found


def blocks(proxies, count, at_once):
    """The same of blocks of `at_once` requests together; each block gives its median."""
    found = []
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        callers = [[Caller(one) for _ in range(at_once)] for one in proxies]
        for number in range(count):
            both = [0.0, 0.0]
            for place in ((0, 1) if number % 2 else (1, 0)):
                both[place] = statistics.median(
                    pool.map(lambda caller: caller.milliseconds(), callers[place]))
            found.append(tuple(both))
    return found


def report(title, found, processor, count):
    """`count` requests went to each proxy."""
    ratios = [mine / theirs for mine, theirs in found]
    dice = random.Random(1)
    again = sorted(statistics.median(dice.choices(ratios, k=len(ratios))) for _ in range(200))
    mine, theirs = (statistics.median(column) for column in zip(*found))
    print(f"{title}: p50 {mine:.2f} ms with budgetd, {theirs:.2f} ms with RouterBudgetLimiting, ratio of "
          f"medians {mine / theirs:.3f}; median of the pairs' ratios {statistics.median(ratios):.3f} "
          f"({again[50]:.3f} to {again[150]:.3f}); processor time {processor[0] / count * 1000:.2f} and "
          f"{processor[1] / count * 1000:.2f} ms a request", flush=True)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    at_once = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    program = binary("BUDGETD_BIN", "budgetd")
    provider = Provider()
    proxies = []
    with tempfile.TemporaryDirectory() as name, redis(name) as port:
        directory = Path(name)
        with running(program, directory / "node", yaml.safe_dump(config(provider))) as node:
            try:
                address = "127.0.0.1:%d" % node.rpc[1]
                mine = config(provider)
                mine["litellm_settings"] = {"callbacks": ["budgetd.litellm.budgets"]}
                theirs = config(provider, redis_host="127.0.0.1", redis_port=port)
                proxies += [Proxy(directory / "mine", mine, address, "open"),
                            Proxy(directory / "theirs", theirs, address, "open")]
                for one in proxies:
                    one.wait()
                pairs(proxies, WARM)
                before = [processor_seconds(one) for one in proxies]
                found = pairs(proxies, count)
                spent = [processor_seconds(one) - was for one, was in zip(proxies, before)]
                report("one at a time", found, spent, count)
                before = [processor_seconds(one) for one in proxies]
                found = blocks(proxies, max(1, count // at_once), at_once)
                spent = [processor_seconds(one) - was for one, was in zip(proxies, before)]
                report(f"{at_once} at once", found, spent, len(found) * at_once)
                assert node.spend("openai") > 0, "nothing was recorded"
            finally:
                for one in (*proxies, provider):
                    one.close()


main()
