"""What the plug-in uses of LiteLLM beside its hooks, all in one place."""

from __future__ import annotations

import hashlib
import inspect
import logging
from typing import Any, Dict, List, Mapping, Optional, Tuple

import litellm
from litellm.integrations.custom_logger import CustomLogger
from litellm.router_strategy.budget_limiter import RouterBudgetLimiting
from litellm.router_strategy.tag_based_routing import get_tags_from_request_kwargs

from .. import Budget, Candidate, Invalid
from .._client import key_of

try:
    from litellm.litellm_core_utils.batch_utils import defers_batch_cost, job_to_charge_once
except ImportError:
    # An older LiteLLM. Looked for once: a module that is not there is looked for long.
    defers_batch_cost = job_to_charge_once = None

MOST_TAGS = 256
LONGEST_NAME = 256
# In place of a longer name: budgetd counts it as one of those, and it is no budget's.
TOO_LONG = "a name of more than 256 bytes ".ljust(LONGEST_NAME + 1, ".")
# The proxy makes 429 of an error with this text, and LiteLLM's own limiter says it.
CROSSED = "No deployments available - crossed budget"
# A key's time has 48 bits of milliseconds.
LATEST_SECONDS = (1 << 48) / 1000

log = logging.getLogger("budgetd")


def same_hooks(ours: type, names: Tuple[str, ...]) -> None:
    """A hook that LiteLLM calls with an argument that ours does not take would only be logged, and
    its spend be lost: said at the start instead."""
    for name in names:
        theirs = inspect.signature(getattr(CustomLogger, name)).parameters
        parameters = inspect.signature(getattr(ours, name)).parameters.values()
        mine = {one.name for one in parameters}
        takes_more = any(one.kind is one.VAR_KEYWORD for one in parameters)
        missing = [one for one in theirs if one not in mine and one != "self"]
        if missing and not takes_more:
            raise Invalid(f"this LiteLLM calls {name} with {', '.join(missing)}, which budgetd's "
                          "plug-in does not know: it needs a newer plug-in")


def bucket(kwargs: Mapping[str, Any]) -> Dict[str, Any]:
    """The metadata in which the proxy keeps what it knows of a request."""
    for name in ("litellm_metadata", "metadata"):
        found = kwargs.get(name)
        if isinstance(found, dict):
            return found
    return {}


def bounded(name: str) -> str:
    """A name that a client may choose. One that is too long is no budget's, but could make the
    question longer than budgetd takes: then no budget at all would be asked."""
    if len(name) * 4 <= LONGEST_NAME or len(name.encode("utf-8", "surrogatepass")) <= LONGEST_NAME:
        return name
    return TOO_LONG


def tags_of(kwargs: Optional[Mapping[str, Any]]) -> List[str]:
    """The request's tags, as LiteLLM's own limiter finds them."""
    try:
        found = get_tags_from_request_kwargs(kwargs or {}, metadata_variable_name=None)
    except TypeError:  # an older signature
        found = get_tags_from_request_kwargs(kwargs or {})
    tags = [tag for tag in found or () if isinstance(tag, str)]
    if len(tags) > MOST_TAGS:
        log.warning("budgetd: a request has %d tags, the first %d count", len(tags), MOST_TAGS)
    return [bounded(tag) for tag in tags[:MOST_TAGS]]


def as_name(text: object) -> str:
    """A model's public name, where it is one that budgetd takes."""
    if not isinstance(text, str) or len(text.encode("utf-8", "replace")) > LONGEST_NAME:
        return ""
    return text if text.isprintable() else ""


def provider_of(parameters: Mapping[str, Any]) -> str:
    """The provider that LiteLLM would use."""
    try:
        return str(litellm.get_llm_provider(
            model=parameters.get("model") or "",
            custom_llm_provider=parameters.get("custom_llm_provider"),
            api_base=parameters.get("api_base"))[1] or "")
    except Exception:
        # LiteLLM knows none: budgetd derives it from its model list, or there is none.
        return str(parameters.get("custom_llm_provider") or "")


class Deployments:
    """Candidates of LiteLLM's deployments, each made once, and the provider of each."""

    def __init__(self) -> None:
        self._made: Dict[str, Tuple[Tuple[Any, ...], Candidate]] = {}

    def candidate(self, deployment: Mapping[str, Any]) -> Candidate:
        parameters = deployment.get("litellm_params") or {}
        identifier = str((deployment.get("model_info") or {}).get("id") or "")
        model = str(parameters.get("model") or "")
        group = str(deployment.get("model_name") or "")
        known = (model, group, parameters.get("custom_llm_provider"), parameters.get("api_base"))
        made = self._made.get(identifier)
        if made is not None and made[0] == known and identifier:
            return made[1]
        found = Candidate(identifier, group, model, provider_of(parameters))
        if len(self._made) >= 100_000:
            self._made.clear()
        self._made[identifier] = (known, found)
        return found

    def provider(self, identifier: str) -> str:
        """Of a deployment that was a candidate; filters and records have to name the same."""
        made = self._made.get(identifier)
        return made[1].provider if made is not None else ""


def deployment_of(kwargs: Mapping[str, Any]) -> Tuple[str, str, str]:
    """The attempt's deployment, the model that was asked for, the model that is called."""
    metadata = bucket(kwargs)
    info = kwargs.get("model_info") or metadata.get("model_info") or {}
    identifier = info.get("id") if isinstance(info, Mapping) else None
    return (str(identifier or ""), as_name(metadata.get("model_group")),
            str(kwargs.get("model") or ""))


def by_id(model: object) -> Optional[Dict[str, Any]]:
    """The deployment that a request names by its id: LiteLLM asks no filter about it."""
    router = the_router()
    if router is None or not isinstance(model, str) or model in router.model_names:
        return None
    try:
        found = router.get_deployment(model_id=model)
    except Exception:
        return None
    return found.model_dump() if found is not None else None


def the_router() -> Any:
    try:
        from litellm.proxy.proxy_server import llm_router
    except ImportError:
        return None
    return llm_router


def greatest_cost(kwargs: Mapping[str, Any], group: str) -> Optional[float]:
    """LiteLLM's own estimate of the most that the request can cost; None where it has none."""
    try:
        from litellm.proxy.spend_tracking.budget_reservation import estimate_request_max_cost

        body = dict(kwargs)
        if group:
            body["model"] = group
        route = "/v1/embeddings" if "input" in body and "messages" not in body \
            else "/v1/chat/completions"
        cost = estimate_request_max_cost(request_body=body, route=route, llm_router=the_router())
        return float(cost) if cost is not None else None
    except Exception as error:
        log.warning("budgetd: LiteLLM has no estimate of a request's greatest cost: %s", error)
        return None


class Job:
    """A batch or a video that is finished: each poll tells its whole cost."""

    __slots__ = ("name", "key", "each_poll")

    def __init__(
        self, kind: str, identifier: str, response: object, each_poll: float = 0.0,
    ) -> None:
        self.name = f"{kind}:{identifier}"
        # Every worker's record of it has the same key. One that says when the job ended is never
        # taken for a new one; one without is charged again where it is polled a day later.
        digits = hashlib.sha256(self.name.encode("utf-8", "surrogatepass")).digest()
        ended = ended_ms(response)
        self.key = key_of(ended, digits[:10]) if ended else f"{kind}:{digits.hex()}"
        #: What another poll costs by itself: its guardrails.
        self.each_poll = each_poll


def ended_ms(response: object) -> int:
    """When a job ended, in Unix milliseconds, as its provider says; 0 where it says nothing. When
    it was made is no answer: a batch may take a day, and a key so old is refused."""
    for name in ("completed_at", "expired_at", "cancelled_at", "failed_at"):
        found = response.get(name) if isinstance(response, Mapping) else getattr(
            response, name, None)
        if isinstance(found, (int, float)) and 0 < found < LATEST_SECONDS:
            return int(found * 1000)
    return 0


def is_unfinished(kwargs: Mapping[str, Any], response: object) -> bool:
    """A poll of a batch whose cost may still change: it is charged when that is final."""
    return defers_batch_cost is not None and bool(defers_batch_cost(kwargs, response))


def job_of(kwargs: Mapping[str, Any], response: object, cost: float) -> Optional[Job]:
    """What is to be charged once, however often it is polled."""
    if job_to_charge_once is None:
        identifier = getattr(response, "id", None)
        is_poll = kwargs.get("call_type") in ("aretrieve_batch", "retrieve_batch")
        if not is_poll or not identifier or not cost > 0:
            return None
        return Job("batch", str(identifier), response)
    found = job_to_charge_once(kwargs, response, cost)
    if found is None:
        return None
    return Job(found.kind, found.job_id, response, found.repeat_poll_cost)


def limiters() -> List[RouterBudgetLimiting]:
    """LiteLLM's own limiters. A subclass is another thing: the proxy's budgets of keys."""
    return [one for one in litellm.callbacks if type(one) is RouterBudgetLimiting]


async def _passes(*, healthy_deployments: Any, **_: Any) -> Any:
    return healthy_deployments


async def _nothing(*_: Any, **__: Any) -> None:
    return None


def replace(limiter: RouterBudgetLimiting, page: Any) -> None:
    """LiteLLM's limiter goes on existing, for the page of the proxy that asks it, and does nothing
    else: on one Redis everything would count twice. `page` gives the budget of a provider. Its
    object is changed, not the list it is in: the proxy may be walking through that."""
    if getattr(limiter, "_budgetd", False):
        return

    async def spend(provider: str) -> Optional[float]:
        budget: Optional[Budget] = await page(provider)
        return budget.spend if budget is not None else None

    async def reset(provider: str) -> Optional[str]:
        budget: Optional[Budget] = await page(provider)
        if budget is None or budget.resets_at_ms is None:
            return None
        from datetime import datetime, timezone

        return datetime.fromtimestamp(budget.resets_at_ms / 1000, timezone.utc).isoformat()

    changed: Any = limiter
    changed.async_filter_deployments = _passes
    changed.async_log_success_event = _nothing
    changed._get_current_provider_spend = spend
    changed._get_current_provider_budget_reset_at = reset
    changed._budgetd = True
    log.info("budgetd: LiteLLM's own budget limiter does nothing from now on")


def refusal(message: str, model: str) -> Exception:
    """An error that is neither retried nor cools a deployment down; fallbacks still run."""
    return litellm.BadRequestError(message=message, model=model, llm_provider="")


def remaining_budgets(budgets: List[Budget]) -> None:
    """LiteLLM's own metric of providers' remaining budgets."""
    try:
        from litellm.router_utils.cooldown_callbacks import get_prometheus_logger_from_callbacks

        prometheus = get_prometheus_logger_from_callbacks()
    except ImportError:
        return
    for one in budgets if prometheus is not None else ():
        if one.limit is not None:
            prometheus.track_provider_remaining_budget(
                provider=one.name, spend=one.spend, budget_limit=one.limit)
