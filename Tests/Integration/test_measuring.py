"""The scripts that README's figures come from, at sizes that say nothing about speed."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def script(name, *arguments, **environment):
    result = subprocess.run([sys.executable, ROOT / "deploy" / name, *arguments],
                            capture_output=True, text=True, timeout=240,
                            env={**os.environ, **environment})
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_bench_measures_every_work_and_shape(budgetd, budgetctl):
    output = script("bench", "--seconds", "0.1", "--rounds", "1",
                    BUDGETD_BIN=str(budgetd), BUDGETCTL_BIN=str(budgetctl))
    rows = [line.split() for line in output.splitlines()[2:]]
    seen = {}
    for work, shape, *server, rate, p50, p99, ratio in (
            row if re.fullmatch(r"[\d.]+", row[-1]) and row[2] == "budgetd" else row + ["0"]
            for row in rows):
        assert float(rate) > 0
        seen.setdefault((work, shape), []).append(" ".join(server))
    shapes = ["1x1", "64x1", "8x32", "8x128"]
    assert list(seen) == [(work, shape) for work in ("filter", "model") for shape in shapes] + [
        ("record", shape) for shape in shapes]
    assert all(seen["filter", shape] == ["budgetd memory", "redis"] for shape in shapes)
    assert all(seen["model", shape] == ["budgetd memory", "redis"] for shape in shapes)
    assert all(seen["record", shape]
               == ["budgetd memory", "redis", "budgetd commit", "redis aof"] for shape in shapes)


def test_scale_measures_budgets_and_connections(budgetd, budgetctl):
    output = script("scale", "--budgets", "3000", "--connections", "30", "--seconds", "0.2",
                    "--rounds", "1", "--bin", str(Path(budgetd).parent))
    assert re.search(r"^3000 budgets: ready after \d", output, re.M)
    assert re.search(r"^resident \d+ MiB", output, re.M)
    assert re.search(r"^30 idle connections: ", output, re.M)
    assert len(re.findall(r"^filter 8x32 with .*: [1-9]\d* a second", output, re.M)) == 2
