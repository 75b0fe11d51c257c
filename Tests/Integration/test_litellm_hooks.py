"""The plug-in's hooks in LiteLLM's own environment, without a proxy around them: what a worker does
where an address, its journal or a batch is not as usual. Each test runs a program of its own."""

import subprocess
import time

import pytest

from conftest import LONG, config_text
from litellm_proxy import SOURCES, proxy_program

CONFIG = config_text({"openai": (100.0, "1d")})


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


POLL = """
import asyncio, sys
from litellm.types.utils import LiteLLMBatch
from budgetd.litellm import budgets

async def main(identifier, ended, preferred, tag):
    budgets._budgets()._preferred = int(preferred)
    response = LiteLLMBatch(
        id=identifier, status="completed", created_at=1, completed_at=int(float(ended)) or None,
        object="batch", endpoint="/v1/chat/completions", input_file_id="f", output_file_id="o",
        completion_window="24h")
    await budgets.async_log_success_event({
        "call_type": "aretrieve_batch", "model": "gpt-4o", "metadata": {"tags": [tag]},
        "standard_logging_object": {"response_cost": 0.5, "custom_llm_provider": "openai"},
    }, response, None, None)
    assert await budgets.client.flush(20) == 0
    stats, metrics = budgets.client.stats, budgets.metrics
    print(stats.recorded, stats.duplicates, stats.dropped, metrics.lost, metrics.too_old)
    await budgets.client.close()

asyncio.run(main(*sys.argv[1:]))
"""


def poll(address, identifier, ended, preferred=0, tag="a"):
    """recorded, duplicates, dropped, lost, too old: of one worker that polls a batch once."""
    found = hooks(POLL, identifier, ended, preferred, tag, address=address)
    return tuple(map(int, found.split()))


def test_workers_at_two_nodes_charge_a_batch_once(start):
    """Each prefers another node, and has the addresses in another order."""
    nodes = [start(CONFIG), start(CONFIG)]
    first, second = ["127.0.0.1:%d" % node.rpc[1] for node in nodes]
    # A managed batch has an id of LiteLLM's, longer than a key may be.
    for number, identifier in enumerate(("batch_1", "batch_" + "x" * 300), start=1):
        ended = time.time() - 60
        assert poll(f"{first},{second}", identifier, ended) == (1, 0, 0, 0, 0)
        assert poll(f"{first},{second}", identifier, ended, 1, "b") == (1, 1, 0, 0, 0)
        assert poll(f"{second},{first}", identifier, ended) == (1, 1, 0, 0, 0)
        assert sum(node.spend("openai") for node in nodes) == pytest.approx(0.5 * number)


def test_a_batch_that_is_polled_a_day_later_is_not_charged_again(start):
    """Its key is forgotten by then, and tells its age. A batch whose end nobody knows is charged,
    and for a day no second time."""
    server = start(CONFIG)
    address, now = "127.0.0.1:%d" % server.rpc[1], time.time()
    assert poll(address, "batch_1", now - 25 * 3600) == (0, 0, 0, 0, 1)
    assert poll(address, "batch_2", now - 23 * 3600) == (1, 0, 0, 0, 0)
    assert poll(address, "batch_3", 0) == (1, 0, 0, 0, 0)
    assert poll(address, "batch_3", 0) == (1, 1, 0, 0, 0)
    assert server.spend("openai") == 1.0


UNUSABLE = """
import asyncio, os, sys
import litellm
from budgetd.litellm import budgets

async def main(gone, record):
    os.rename(gone, gone + ".old")
    open(gone, "w").close()
    request = {"model": "gpt-4o", "metadata": {}}
    deployments = [{"model_name": "gpt-4o", "model_info": {"id": "d"},
                    "litellm_params": {"model": "openai/gpt-4o"}}]
    for ask in (lambda: budgets.async_filter_deployments("gpt-4o", deployments, None, request),
                lambda: budgets.async_pre_call_hook(None, None, request, "pass_through_endpoint")):
        try:
            print("passes", bool(await ask()))
        except litellm.BadRequestError as error:
            again = await budgets.async_post_call_failure_hook(request, error, None)
            words = str(error)
            print("refused", again.status_code, "cannot be" in words or "is empty" in words)
    if record == "yes":
        await budgets.async_log_success_event({
            "model": "gpt-4o", "metadata": {}, "standard_logging_object": {
                "response_cost": 0.5, "custom_llm_provider": "openai"}}, None, None, None)
        if budgets.client is not None:
            assert await budgets.client.flush(20) == 0
    print("lost", budgets.metrics.lost)

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_journal_that_went_away_is_as_the_operator_chose(start, tmp_path):
    """Usable at the proxy's start, not at the worker's first request. Open: requests pass, and
    their costs are recorded without it; closed: 503."""
    server, folder = start(CONFIG), tmp_path / "j"
    address = "127.0.0.1:%d" % server.rpc[1]
    said = hooks(UNUSABLE, folder, "yes", address=address, BUDGETD_JOURNAL=str(folder))
    assert said == "passes True\npasses False\nlost 0\n"
    assert server.spend("openai") == 0.5
    (tmp_path / "j").unlink()
    said = hooks(UNUSABLE, folder, "no", address=address, choice="closed",
                 BUDGETD_JOURNAL=str(folder))
    assert said == "refused 503 True\nrefused 503 True\nlost 0\n"


def test_a_token_file_that_went_away_is_as_the_operator_chose(tmp_path):
    """There is no client at all then. Open: requests pass, and their cost is counted as lost."""
    token = tmp_path / "token"
    for choice, words in (("open", "passes True\npasses False\nlost 1\n"),
                          ("closed", "refused 503 True\nrefused 503 True\nlost 0\n")):
        token.unlink(missing_ok=True)
        token.write_text("x" * 40)
        said = hooks(UNUSABLE, token, "yes" if choice == "open" else "no", choice=choice,
                     BUDGETD_TOKEN_FILE=str(token))
        assert said == words
