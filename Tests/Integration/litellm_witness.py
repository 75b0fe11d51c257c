"""A callback of the proxy under test that writes down what LiteLLM itself says each request cost:
the witness beside budgetd. One line an event, in the file that WITNESS names."""

import json
import os

from litellm.integrations.custom_logger import CustomLogger
from litellm.router_strategy.tag_based_routing import get_tags_from_request_kwargs


class _PROXY_Witness(CustomLogger):
    def note(self, kwargs, status, response=None):
        payload = kwargs.get("standard_logging_object") or {}
        line = {"status": status, "cost": payload.get("response_cost"), "tags":
                get_tags_from_request_kwargs(kwargs), "deployment": payload.get("model_id"),
                "provider": payload.get("custom_llm_provider"), "group": payload.get("model_group"),
                "call": kwargs.get("call_type"), "cached": payload.get("cache_hit"),
                "batch": getattr(response, "id", None)
                if kwargs.get("call_type") == "aretrieve_batch" else None,
                "key": kwargs.get("budgetd_key"), "error": str(kwargs.get("exception"))[:200]}
        with open(os.environ["WITNESS"], "a") as file:
            file.write(json.dumps(line) + "\n")

    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        self.note(kwargs, "success", response_obj)

    async def async_log_failure_event(self, kwargs, response_obj, start_time, end_time):
        self.note(kwargs, "failure")


witness = _PROXY_Witness()
