#!/usr/bin/env python3
"""Breaks the Python client one line at a time and sees that a case of this folder fails each time.
`mutants.py --check` only looks whether each line is there."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCES = HERE.parent / "python" / "src"


def entries():
    for block in (HERE / "mutants.txt").read_text().split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        if lines:
            yield dict(line.split(": ", 1) for line in lines)


def broken(entry):
    text = (SOURCES / "budgetd" / entry["file"]).read_text()
    assert text.count(entry["old"]) == 1, f"{entry['name']}: not once in {entry['file']}"
    return text.replace(entry["old"], entry["new"])


def survives(entry):
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "src"
        shutil.copytree(SOURCES, copy)
        (copy / "budgetd" / entry["file"]).write_text(broken(entry))
        done = subprocess.run(
            [sys.executable, HERE / "run.py", "--quiet", "--first", "--driver",
             f"{sys.executable} {HERE / 'drivers' / 'python_driver.py'}", HERE / entry["cases"]],
            env={**os.environ, "BUDGETD_PYTHON_CLIENT": str(copy)}, capture_output=True, text=True)
    said = next((line for line in done.stdout.splitlines() if "FAILED" in line), done.stderr[-500:])
    print(f"{'SURVIVED' if done.returncode == 0 else 'caught'} {entry['name']}: {said[:150]}",
          flush=True)
    return done.returncode == 0


found = list(entries())
if "--check" in sys.argv:
    for one in found:
        broken(one)
    sys.exit()
left = sum(map(survives, found))
print(f"{len(found)} mutants, {left} survived")
sys.exit(1 if left else 0)
