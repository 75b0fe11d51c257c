"""budgetd in the place of LiteLLM's own budget limiter:

    litellm_settings:
      callbacks: budgetd.litellm.budgets

and in the proxy's environment BUDGETD_ADDRESS and BUDGETD_ON_UNAVAILABLE."""

from ._environment import Environment

# Before LiteLLM is imported, which takes seconds: what is wrong is said at once.
_environment = Environment.read()

from ._hooks import _PROXY_Budgets  # noqa: E402

budgets = _PROXY_Budgets(_environment)

__all__ = ["budgets"]
