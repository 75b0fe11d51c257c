"""deploy/test with stand-ins for everything that it runs: which steps there are, and that a red one ends
it. A step that is run and not looked at would be worse than none."""

import shutil
import subprocess

import pytest

from conftest import LONG, ROOT

# Says what it was called with; fails where that has the text in RED.
STAND_IN = """#!/bin/sh
line="$(basename "$0") $*"
echo "$line" >>"$CALLS"
case "$line" in python3*venv*)
  mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && cp "$0" "$3/bin/pip" || exit 1 ;;
esac
[ -n "$RED" ] && case "$line" in *"$RED"*) exit 3 ;; esac
exit 0
"""
SCRIPTS = ("deploy/install-packages", "deploy/mutants", "proto/generate.sh",
           "Tests/Integration/litellm_venv.sh")
# A text of each step's command, in their order.
STEPS = (
    "install-packages build package test", "swift format lint", "node --check", "mutants --check",
    "generate.sh --check",
    "swift build --build-tests --explicit-target-dependency-import-check error",
    "swift test --skip-build --skip", "swift test --skip-build --filter",
    "swift build --build-tests --sanitize=thread", "-DTHREAD_SANITIZER --skip",
    "-DTHREAD_SANITIZER --filter", "swift build --build-tests -c release",
    "-enable-testing --filter AllocationTests", "-enable-testing --filter (OneDoor",
    "swift build --product budgetd --disable-local-rpath",
    "swift build --product budgetctl --disable-local-rpath", "-m not alone", "-m alone",
)
ENVIRONMENTS = ("python3 -m venv .build-venv", "pip install", "litellm_venv.sh .build/litellm-venv",
                "litellm_venv.sh .build/litellm-proxy-venv")


class Tree:
    def __init__(self, directory):
        self.directory = directory
        self.calls = directory / "calls"
        shutil.copytree(ROOT / "deploy", directory / "deploy")
        tools = directory / "tools"
        for path in [directory / name for name in SCRIPTS] + [
                tools / name for name in ("swift", "node", "python3")]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(STAND_IN)
            path.chmod(0o755)
        (directory / "Tests/Integration/requirements.txt").write_text("pytest\n")
        self.path = f"{tools}:/usr/bin:/bin"

    def run(self, red="", **environment):
        return subprocess.run(
            [self.directory / "deploy/test"], capture_output=True, text=True, timeout=LONG,
            env={"PATH": self.path, "CALLS": str(self.calls), "RED": red, "HOME": "/nonexistent",
                 **environment})

    def steps(self):
        """The steps that were run, without those of the environments."""
        lines = self.calls.read_text().splitlines()
        return [line for line in lines if not any(text in line for text in ENVIRONMENTS)]


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def test_each_step_is_run_once_and_in_its_order(tree):
    result = tree.run()
    assert result.returncode == 0, result.stdout + result.stderr
    steps = tree.steps()
    assert len(steps) == len(STEPS), steps
    for line, text in zip(steps, STEPS):
        assert text in line
    calls = tree.calls.read_text().splitlines()
    for text in ENVIRONMENTS:
        assert sum(text in line for line in calls) == 1, calls
    assert result.stdout.rstrip().splitlines()[-1].startswith("== done (")


@pytest.mark.parametrize("at", range(len(STEPS)))
def test_a_red_step_ends_it(tree, at):
    result = tree.run(red=STEPS[at])
    assert result.returncode == 3, result.stdout + result.stderr
    steps = tree.steps()
    assert len(steps) == at + 1 and STEPS[at] in steps[-1], steps


@pytest.mark.parametrize("red", ENVIRONMENTS)
def test_an_environment_that_cannot_be_made_ends_it_before_its_first_use(tree, red):
    result = tree.run(red=red)
    assert result.returncode == 3, result.stdout + result.stderr
    assert "swift build" in tree.steps()[-1], tree.steps()


def test_mutants_are_run_where_they_are_asked_for(tree):
    result = tree.run(BUDGETD_MUTANTS="all")
    assert result.returncode == 0, result.stdout + result.stderr
    assert tree.steps()[-1].strip() == "mutants"
