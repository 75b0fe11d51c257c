"""The scripts that README's figures come from, at sizes that say nothing about speed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.alone  # load generators on every processor

ROOT = Path(__file__).resolve().parents[2]


def script(name, *arguments, **environment):
    result = subprocess.run([sys.executable, ROOT / "deploy" / name, *arguments],
                            capture_output=True, text=True, timeout=240,
                            env={**os.environ, **environment})
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def benched(budgetd, budgetctl, *options):
    """{(work, shape): servers} of what deploy/bench printed, each figure of which is above 0."""
    output = script("bench", "--seconds", "0.1", "--rounds", "1", *options,
                    BUDGETD_BIN=str(budgetd), BUDGETCTL_BIN=str(budgetctl))
    seen = {}
    for row in [line.split() for line in output.splitlines()[2:]]:
        # The last of a group is the others' peer, and has no ratio.
        work, shape, *server, rate, p50, p99, cpu, ratio = (
            row + [None] if row[0] in ("mget", "incr", "pair") else row)
        assert float(rate) > 0 and (ratio is None or float(ratio) > 0)
        # A run of pairs has both kinds: whose the processor's time was is not known.
        assert cpu == "-" if work in ("pair", "reserve") else float(cpu) > 0
        seen.setdefault((work, shape), []).append(" ".join(server))
    return seen


def each_shape(servers):
    return {(work, shape): servers[work] for work in servers
            for shape in ("1x1", "64x1", "8x32", "8x128")}


def test_bench_measures_every_work_and_shape(budgetd, budgetctl):
    memory, both = ["budgetd memory"], ["budgetd memory", "budgetd commit"]
    assert benched(budgetd, budgetctl) == each_shape({
        "filter": memory, "fresh": memory, "denied": ["budgetd no-money"], "model": memory,
        "mget": ["redis"], "record": both, "charge": both, "incr": ["redis", "redis aof"],
        "reserve": both[::-1], "pair": both[::-1]})


def test_bench_measures_over_tls(budgetd, budgetctl):
    both = ["budgetd memory", "budgetd tls"]
    assert benched(budgetd, budgetctl, "--tls") == each_shape({
        "filter": both, "fresh": ["budgetd tls"], "mget": ["redis tls"], "record": both,
        "incr": ["redis tls"]})


def test_scale_measures_budgets_and_connections(budgetd, budgetctl):
    output = script("scale", "--budgets", "3000", "--connections", "30", "--seconds", "0.2",
                    "--rounds", "1", "--bin", str(Path(budgetd).parent))
    assert re.search(r"^3000 budgets: ready after \d", output, re.M)
    assert re.search(r"^resident \d+ MiB", output, re.M)
    assert re.search(r"^30 idle connections: ", output, re.M)
    assert len(re.findall(r"^filter 8x32 with .*: [1-9]\d* a second", output, re.M)) == 2
