"""Runs LiteLLM's own RouterBudgetLimiting, unmodified and with its own loop of one second, and
takes commands as JSON lines. Started by litellm_peer.py with the Python that has LiteLLM.

The first line is the setup: {"host", "port", "namespace", "providers", "deployments", "tags"}, and
"startup_nodes" of a cluster or "redis", more settings of one Redis; each budget is {name: [limit, window]}. Each later line is one command with "op"; each has one answer.
"""

import asyncio
import json
import logging
import sys
import time

import litellm
from litellm.caching.dual_cache import DualCache
from litellm.caching.redis_cache import RedisCache
from litellm.caching.redis_cluster_cache import RedisClusterCache
from litellm.router_strategy.budget_limiter import RouterBudgetLimiting
from litellm.types.utils import BudgetConfig


class Kept(logging.Handler):
    """Log lines of LiteLLM and redis-py from WARNING on."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        self.lines.append(f"{record.levelname}: {record.getMessage()}")


class Peer:
    def __init__(self, setup):
        options = {"namespace": setup["namespace"]} if setup.get("namespace") else {}
        # As the proxy chooses: nodes of a cluster have a cache of their own kind.
        if setup.get("startup_nodes"):
            redis = RedisClusterCache(startup_nodes=setup["startup_nodes"], **options)
        else:
            redis = RedisCache(host=setup["host"], port=setup["port"],
                               **setup.get("redis", {}), **options)
        models = [model(name, limit, window)
                  for name, (limit, window) in setup.get("deployments", {}).items()]
        providers = {name: {"budget_limit": limit, "time_period": window}
                     for name, (limit, window) in setup.get("providers", {}).items()}
        self.limiter = RouterBudgetLimiting(
            dual_cache=DualCache(redis_cache=redis), provider_budget_config=providers or None,
            model_list=models)
        # What _init_tag_budgets sets, which only runs with an enterprise licence.
        self.limiter.tag_budget_config = {
            name: BudgetConfig(budget_duration=window, max_budget=limit)
            for name, (limit, window) in setup.get("tags", {}).items()} or None

    async def record(self, cost, provider=None, model_id="", tags=()):
        payload = {"response_cost": cost, "model_id": model_id, "custom_llm_provider": provider}
        await self.limiter.async_log_success_event(
            {"standard_logging_object": payload, "metadata": {"tags": list(tags)},
             "litellm_params": {"custom_llm_provider": provider}}, None, None, None)

    async def filter(self, deployments, tags=()):
        candidates = [{"model_name": "group", "litellm_params": {"model": name},
                       "model_info": {"id": identifier}} for identifier, name in deployments]
        try:
            left = await self.limiter.async_filter_deployments(
                model="group", healthy_deployments=candidates, messages=None,
                request_kwargs={"metadata": {"tags": list(tags)}})
        except ValueError as error:
            return {"allowed": [], "message": str(error)}
        return {"allowed": [one["model_info"]["id"] for one in left], "message": None}

    async def view(self):
        """Spend as this process has it in memory, and how many charges wait for Redis."""
        memory = self.limiter.dual_cache.in_memory_cache
        spends = {key: value for key, value in memory.cache_dict.items() if "_spend:" in key}
        detached = self.limiter._detached_increment_operations or ()
        waiting = len(self.limiter.redis_increment_operation_queue) + len(detached)
        return {"spends": spends, "waiting": waiting, "time": time.time()}


def model(identifier, limit, window):
    return {"model_name": "group", "model_info": {"id": identifier},
            "litellm_params": {"model": "openai/gpt-4o", "max_budget": limit,
                               "budget_duration": window}}


async def main():
    kept = Kept()
    for name in ("", "LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).addHandler(kept)
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    peer = Peer(json.loads(await reader.readline()))
    answer({"version": litellm_version()})
    while line := await reader.readline():
        command = json.loads(line)
        operation = command.pop("op")
        if operation == "log":
            answer({"lines": kept.lines})
            continue
        try:
            answer(await getattr(peer, operation)(**command))
        except Exception as error:  # the answer names it; the test judges it
            answer({"error": f"{type(error).__name__}: {error}"})


def litellm_version():
    from importlib.metadata import version

    assert litellm.callbacks, "the limiter is not registered"
    return version("litellm")


def answer(value):
    OUTPUT.write(json.dumps(value if value is not None else {}) + "\n")
    OUTPUT.flush()


# LiteLLM prints hints to stdout: those go to stderr, and the answers have stdout alone.
OUTPUT, sys.stdout = sys.stdout, sys.stderr
asyncio.run(main())
