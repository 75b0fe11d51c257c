"""The hooks that LiteLLM's proxy calls, in the order in which it calls them."""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import time
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from litellm.integrations.custom_logger import CustomLogger

from .. import (
    Answer, Budget, Budgets, BudgetError, Candidate, Client, Denied, Hold, Refused,
)
from .._wire import Charged
from . import _litellm, _metrics
from ._attempts import EXTEND_BY, Attempt, Attempts
from ._environment import Environment

HOOKS = (
    "async_pre_call_hook", "async_filter_deployments", "async_pre_call_deployment_hook",
    "async_post_call_failure_deployment_hook", "async_log_success_event",
    "async_log_failure_event", "async_post_call_failure_hook",
)
# Names in the proxy's metadata of a request, and in the details that its events bring.
KEY, KEYS, NO_ROOM, FILTERED, WORDS = (
    "budgetd_key", "budgetd_keys", "budgetd_no_room", "budgetd_filtered", "budgetd_refusal")
# Calls that ask about something and spend nothing: without a hold, which would teach budgetd that
# such requests cost nothing.
ASKING = re.compile("retrieve|list|cancel|delete|file|batch|get_")
SWEEP_SECONDS, PAGE_SECONDS = 15.0, 1.0
EXTENDED_AT_ONCE = 1000
MOST_UNPRICED = 1000

log = logging.getLogger("budgetd")


# `_PROXY_` in the name: a client's "no-log" does not silence such a callback.
class _PROXY_Budgets(CustomLogger):
    """One worker's budgets."""

    def __init__(self, environment: Environment) -> None:
        super().__init__()
        _litellm.same_hooks(type(self), HOOKS)
        self._environment = environment
        self._client: Optional[Client] = None
        # Until a budgetd says that it has none: with a first answer that is late, requests that
        # pass without a hold would be too many.
        self._holds = True
        self._attempts = Attempts()
        self._deployments = _litellm.Deployments()
        self._jobs: Dict[str, None] = {}
        self._unpriced: Dict[str, int] = {}
        self._page: Tuple[float, Optional[Budgets]] = (0.0, None)
        self._sweeping: Optional[asyncio.Task[None]] = None
        self.metrics = _metrics.Counts()

    # 1. Every request, and the only place to refuse one that no filter is asked about.
    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: Dict[str, Any], call_type: Any, **_: Any,
    ) -> None:
        self._take_over()
        model = data.get("model")
        client = self._made(data, model)
        if client is None:
            return
        deployment = _litellm.by_id(model)
        if deployment is not None:
            # Where there are holds, the hold says whether there is room.
            if not self._holds:
                await self._allow(client, [self._deployments.candidate(deployment)], data,
                                  str(deployment.get("model_name") or ""))
        elif call_type == "pass_through_endpoint":
            name = _litellm.bounded(str(model or ""))
            provider = _litellm.bounded(str(data.get("custom_llm_provider") or ""))
            one = Candidate(model=name, provider=provider)
            await self._allow(client, [one], data, _litellm.as_name(name))

    # 2. The candidates of each attempt, after health and cooldown.
    async def async_filter_deployments(
        self, model: str, healthy_deployments: List[Any], messages: Any,
        request_kwargs: Optional[Dict[str, Any]] = None, parent_otel_span: Any = None, **_: Any,
    ) -> List[Any]:
        self._take_over()
        if isinstance(healthy_deployments, dict):
            healthy_deployments = [healthy_deployments]
        if not healthy_deployments:
            return healthy_deployments
        kwargs = request_kwargs if request_kwargs is not None else {}
        metadata = _litellm.bucket(kwargs)
        candidates = [self._deployments.candidate(one) for one in healthy_deployments]
        client = self._made(kwargs, model)
        if client is None:
            return healthy_deployments
        answer = await self._allow(client, candidates, kwargs, _litellm.as_name(model))
        metadata[FILTERED] = True
        # One whose hold was refused a moment ago is not tried again.
        no_room = metadata.get(NO_ROOM) or ()
        left = [healthy_deployments[place] for place in answer.allowed
                if place < len(candidates) and candidates[place].id not in no_room]
        if not left:
            raise self._refused(metadata, str(metadata.get(WORDS) or _litellm.CROSSED), model)
        return left

    async def _allow(
        self, client: Client, candidates: Sequence[Candidate], kwargs: Dict[str, Any], model: str,
    ) -> Answer:
        """What is within budget; raises where nothing is, or nobody says so."""
        metadata = _litellm.bucket(kwargs)
        try:
            answer = await client.filter(candidates, tags=_litellm.tags_of(kwargs),
                                         model_name=model)
        except BudgetError as error:
            answer = Answer(self._unasked(error, metadata, model, len(candidates)))
        if answer.unavailable is not None:
            self.metrics.opened += 1
        if not answer.allowed:
            self.metrics.denied += 1
            raise self._refused(metadata, answer.message.strip() or _litellm.CROSSED, model)
        return answer

    def _unasked(
        self, error: BudgetError, metadata: Dict[str, Any], model: str, count: int,
    ) -> List[int]:
        """budgetd refuses to say: its token, this request. The same choice as when it is away."""
        if self._environment.options["on_unavailable"] == "closed":
            self.metrics.closed += 1
            raise self._refused(metadata, _closed(error), model)
        log.error("budgetd: requests pass unasked: %s", error)
        self.metrics.opened += 1
        return list(range(count))

    # 3. Each attempt, before the cache is looked into: here the hold is taken.
    async def async_pre_call_deployment_hook(
        self, kwargs: Dict[str, Any], call_type: Any, **_: Any,
    ) -> None:
        self._take_over()
        details = getattr(kwargs.get("litellm_logging_obj"), "model_call_details", None)
        if not isinstance(details, dict):
            return
        identifier, group, model = _litellm.deployment_of(kwargs)
        metadata = _litellm.bucket(kwargs)
        client = self._made(kwargs, group or model)
        hold = None
        name = str(getattr(call_type, "value", call_type))
        if client is not None and self._holds and not ASKING.search(name):
            hold = await self._held(client, kwargs, identifier, group, model)
        attempt = Attempt(identifier, hold)
        # One call of LiteLLM's may go through here twice, as messages do that are served as chats:
        # only the last attempt has an event, and what the one before holds is free again.
        before = self._attempts.end(details.get(KEY))
        if before is not None:
            before.release()
        self._attempts.begin(attempt)
        details[KEY] = attempt.key
        metadata.setdefault(KEYS, []).append(attempt.key)

    async def _held(
        self, client: Client, kwargs: Dict[str, Any], identifier: str, group: str, model: str,
    ) -> Optional[Hold]:
        metadata = _litellm.bucket(kwargs)
        amount = _litellm.greatest_cost(kwargs, group) if self._environment.greatest else None
        provider = self._deployments.provider(identifier) or \
            _litellm.provider_of({**kwargs, "model": model})
        try:
            return await client.reserve(
                provider=provider, deployment_id=identifier, model=model, model_name=group,
                tags=_litellm.tags_of(kwargs), amount=amount)
        except Denied as error:
            self.metrics.no_room += 1
            words = f"{_litellm.CROSSED}: {error}" if _litellm.CROSSED not in str(error) \
                else str(error)
            metadata.setdefault(NO_ROOM, []).append(identifier)
            metadata[WORDS] = words
            if metadata.get(FILTERED):
                # Tried again, and the filter leaves this deployment out. No other error is tried
                # again without cooling the deployment down for everybody.
                raise ValueError(words) from None
            raise self._refused(metadata, words, group or model) from None
        except BudgetError as error:
            if isinstance(error, Refused) and error.code_name == "UNIMPLEMENTED":
                # An older budgetd, which knows spend alone.
                self._holds = False
                if not metadata.get(FILTERED):
                    one = Candidate(identifier, group, model, provider)
                    await self._allow(client, [one], kwargs, group)
            else:
                self._unasked(error, metadata, group or model, 0)
            return None

    # 4. A failed attempt: its hold is free again. A stream that was cut fails later.
    async def async_post_call_failure_deployment_hook(
        self, request_data: Mapping[str, Any], exception: Exception, call_type: Any,
        fallback_depth: Optional[int] = None, **_: Any,
    ) -> None:
        details = getattr(request_data.get("litellm_logging_obj"), "model_call_details", None)
        attempt = self._attempts.end((details or {}).get(KEY))
        if attempt is not None:
            attempt.release()

    # 5. What it cost. LiteLLM calls these once, ends them after 20 s and repeats nothing.
    async def async_log_success_event(
        self, kwargs: Dict[str, Any], response_obj: Any, start_time: Any, end_time: Any,
    ) -> None:
        self._take_over()
        payload = kwargs.get("standard_logging_object")
        if not isinstance(payload, Mapping):
            # Sessions over a web socket: their turns have events of their own.
            if kwargs.get("call_type") not in ("_aresponses_websocket", "_arealtime"):
                self.metrics.without_cost += 1
                log.error("budgetd: LiteLLM gave a request of %s without its cost",
                          kwargs.get("model"))
            self._release(kwargs)
            return
        cost = _cost(payload)
        job = _litellm.job_of(kwargs, response_obj, cost)
        if job is not None and self._known(job.name):
            cost, job = job.each_poll, None
            if not cost:
                self._release(kwargs)
                return
        if kwargs.get("cache_hit") or _litellm.is_unfinished(kwargs, response_obj):
            # Nothing was spent, and what such requests cost is not learned from it.
            self._release(kwargs)
            return
        self._record(kwargs, payload, cost, job)

    async def async_log_failure_event(
        self, kwargs: Dict[str, Any], response_obj: Any, start_time: Any, end_time: Any,
    ) -> None:
        payload = kwargs.get("standard_logging_object")
        cost = _cost(payload) if isinstance(payload, Mapping) else 0.0
        if cost > 0:
            # A stream that its provider cut: what came was paid for.
            self._record(kwargs, payload, cost, None)  # type: ignore[arg-type]
        else:
            self._release(kwargs)

    def _record(
        self, kwargs: Dict[str, Any], payload: Mapping[str, Any], cost: float,
        job: Optional[_litellm.Job],
    ) -> None:
        attempt = self._attempts.end(kwargs.get(KEY))
        hold = attempt.hold if attempt is not None else None
        model = _litellm.bounded(str(kwargs.get("model") or payload.get("model") or ""))
        if not cost:
            cost = self._unpriced_cost(model, payload, hold)
        if not cost and (hold is None or not payload.get("total_tokens")):
            if hold is not None:
                hold.release()
            return
        key = attempt.key if attempt is not None else _own_key(kwargs)
        identifier = str(payload.get("model_id") or "")
        provider = self._deployments.provider(identifier) or \
            str(payload.get("custom_llm_provider") or "")
        fields: Dict[str, Any] = dict(
            provider=provider, deployment_id=identifier, model=model,
            model_name=_litellm.as_name(payload.get("model_group")), tags=_litellm.tags_of(kwargs))
        try:
            client = self._budgets()
            if job is not None:
                # At the job's own address, which need not be that of the hold.
                if hold is not None:
                    hold.release()
                client._record_once(
                    cost, job.key, functools.partial(self._too_old, job, cost), Charged(**fields))
            elif hold is not None:
                hold.settle(cost, key=key, **fields)
            else:
                client.record(cost, key=key, **fields)
        except BudgetError as error:
            self.metrics.lost += 1
            log.critical("budgetd: $%s of %s are not recorded: %s", cost, identifier or model,
                         error)

    def _too_old(self, job: _litellm.Job, cost: float, message: str) -> None:
        self.metrics.too_old += 1
        log.warning("budgetd: $%s of %s are not recorded now: it ended longer ago than budgetd "
                    "remembers keys (%s). Polled within that time it is charged already; if "
                    "nobody polled it, record it by hand", cost, job.name, message)

    def _unpriced_cost(
        self, model: str, payload: Mapping[str, Any], hold: Optional[Hold],
    ) -> float:
        """A model without a price costs nothing: said once a model, and counted."""
        if not payload.get("total_tokens"):
            return 0.0
        self.metrics.unpriced += 1
        if model not in self._unpriced and len(self._unpriced) < MOST_UNPRICED:
            self._unpriced[model] = 1
            log.warning("budgetd: LiteLLM has no price for %s, so its requests cost nothing: give "
                        "it input_cost_per_token and output_cost_per_token", model)
        return hold.reserved if hold is not None and self._environment.charges_estimate else 0.0

    def _release(self, kwargs: Mapping[str, Any]) -> None:
        attempt = self._attempts.end(kwargs.get(KEY))
        if attempt is not None:
            attempt.release()

    def _known(self, job: str) -> bool:
        """Whether this worker has charged the job. Others are told by its key."""
        known = job in self._jobs
        if not known:
            if len(self._jobs) >= 10_000:
                self._jobs.pop(next(iter(self._jobs)))
            self._jobs[job] = None
        return known

    # 6. A request that failed altogether.
    async def async_post_call_failure_hook(
        self, request_data: Dict[str, Any], original_exception: Exception, user_api_key_dict: Any,
        traceback_str: Optional[str] = None, **_: Any,
    ) -> Any:
        metadata = _litellm.bucket(request_data)
        for key in metadata.get(KEYS) or ():
            attempt = self._attempts.end(key)
            if attempt is not None:
                attempt.release()
        words = metadata.get(WORDS)
        if isinstance(words, str) and words in str(original_exception):
            from fastapi import HTTPException

            away = not words.startswith(_litellm.CROSSED)
            return HTTPException(status_code=503 if away else 429, detail={"error": words})
        return None

    @staticmethod
    def _refused(metadata: Dict[str, Any], words: str, model: str) -> Exception:
        metadata[WORDS] = words
        return _litellm.refusal(words, model)

    def _take_over(self) -> None:
        for limiter in _litellm.limiters():
            _litellm.replace(limiter, self._provider)

    def _budgets(self) -> Client:
        """The client; made in the loop that runs, when it is first needed. Raises Invalid where
        what its settings name was usable when the proxy began, and is so no more."""
        if self._client is None:
            self._client = self._environment.client()
            self._client._begin()
            self._sweeping = asyncio.get_running_loop().create_task(self._sweep())
            _metrics.register(self)
        return self._client

    def _made(self, kwargs: Dict[str, Any], model: object) -> Optional[Client]:
        """The client, for a request; None: there can be none, and the request passes."""
        try:
            return self._budgets()
        except BudgetError as error:
            self._unasked(error, _litellm.bucket(kwargs), str(model or ""), 0)
            return None

    async def _look(self) -> None:
        """Whether this budgetd has holds: it may have been replaced."""
        assert self._client is not None
        try:
            self._holds = "reserve_spend" in (await self._client.ping()).methods
        except BudgetError as error:
            log.warning("budgetd: %s", error)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self._look()
                await self._extend_holds()
                await self._read_page()
            except BudgetError as error:
                log.debug("budgetd: %s", error)
            except Exception:
                log.exception("budgetd: the sweep goes on")

    async def _extend_holds(self) -> None:
        """Many at once: each one whose node does not answer takes seconds, and the others' end is
        near."""
        due = self._attempts.to_extend()
        for at in range(0, len(due), EXTENDED_AT_ONCE):
            await asyncio.gather(*map(self._extend, due[at:at + EXTENDED_AT_ONCE]))

    @staticmethod
    async def _extend(attempt: Attempt) -> None:
        assert attempt.hold is not None
        try:
            await attempt.hold.extend(EXTEND_BY)
            attempt.was_extended()
        except BudgetError as error:
            # The next sweep tries again, unless budgetd knows the hold no more.
            if isinstance(error, Refused) and error.code_name == "NOT_FOUND":
                attempt.cannot_be_extended()
            log.debug("budgetd: a hold is not extended: %s", error)

    async def _read_page(self) -> Optional[Budgets]:
        """Where the budgets stand, a second old at most; LiteLLM's own metric hears of it."""
        read, page = self._page
        if page is None or time.monotonic() - read > PAGE_SECONDS:
            page = await self._budgets().budgets()
            self._page = (time.monotonic(), page)
            _litellm.remaining_budgets(page.providers)
        return page

    async def _provider(self, name: str) -> Optional[Budget]:
        """LiteLLM's own budget of a provider, for the proxy's page."""
        try:
            page = await self._read_page()
        except BudgetError as error:
            log.warning("budgetd: %s", error)
            return None
        return next((one for one in page.providers if one.name == name), None) if page else None

    @property
    def open_attempts(self) -> int:
        return len(self._attempts)

    @property
    def client(self) -> Optional[Client]:
        return self._client


def _closed(error: BudgetError) -> str:
    return f"{error}; BUDGETD_ON_UNAVAILABLE is closed"


def _cost(payload: Mapping[str, Any]) -> float:
    cost = payload.get("response_cost")
    return float(cost) if isinstance(cost, (int, float)) and cost > 0 else 0.0


def _own_key(details: Dict[str, Any]) -> str:
    """A key for an event without an attempt, kept with it should it come twice."""
    from .. import new_key

    return str(details.setdefault(KEY, new_key()))
