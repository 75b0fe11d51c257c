"""The plug-in's hooks in LiteLLM's own environment, without a proxy around them: what a worker does
where an address, its journal or a batch is not as usual. Each test runs a program of its own."""

import subprocess

from conftest import LONG
from litellm_proxy import SOURCES, proxy_program


def hooks(script, *arguments, address="127.0.0.1:1", choice="open", **variables):
    """Runs the script with the plug-in; what it printed."""
    done = subprocess.run(
        [proxy_program()[0], "-c", script, *map(str, arguments)], capture_output=True, text=True,
        timeout=4 * LONG, env={
            "PYTHONPATH": str(SOURCES), "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "BUDGETD_ADDRESS": address, "BUDGETD_ON_UNAVAILABLE": choice, **variables})
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


EXTENDING = """
import asyncio
from budgetd import Refused, Unavailable
from budgetd.litellm import _hooks, budgets
from budgetd.litellm._attempts import Attempt

class Held:
    def __init__(self, error=None):
        self.error, self.asked = error, 0

    async def extend(self, ttl):
        self.asked += 1
        if self.error is not None:
            raise self.error

async def main():
    away, gone, fine = Held(Unavailable("away")), Held(Refused(5, "")), Held()
    for hold in (away, gone, fine):
        attempt = Attempt("d", hold)
        attempt.begun = attempt.extended = attempt.begun - 90
        budgets._attempts.begin(attempt)
    read = []
    async def page():
        read.append(1)
    async def look():
        pass
    budgets._read_page, budgets._look = page, look
    _hooks.SWEEP_SECONDS = 0.05
    sweep = asyncio.ensure_future(budgets._sweep())
    while len(read) < 3:
        await asyncio.sleep(0.01)
        assert not sweep.done()
    sweep.cancel()
    assert fine.asked == gone.asked == 1, (fine.asked, gone.asked)
    assert away.asked >= 3, away.asked

asyncio.run(asyncio.wait_for(main(), 10))
"""


def test_a_hold_that_cannot_be_extended_ends_no_other():
    """Its node is away, or it is over. The first is tried again, the second is not."""
    hooks(EXTENDING)
