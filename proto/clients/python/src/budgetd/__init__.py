"""budgetd's client: dollar budgets for LLM routers. See Client and SyncClient."""

from ._answers import Answer, Budget, Budgets, Candidate, Denial, Pong, Stats
from ._client import Client, Hold, Reserving, new_key
from ._errors import BudgetError, Closed, Denied, Invalid, OutboxFull, Refused, Unavailable
from ._threads import SyncClient, SyncHold

__version__ = "0.9.1"

__all__ = [
    "Answer", "Budget", "BudgetError", "Budgets", "Candidate", "Client", "Closed", "Denial",
    "Denied", "Hold", "Invalid", "OutboxFull", "Pong", "Refused", "Reserving", "Stats",
    "SyncClient", "SyncHold", "Unavailable", "new_key",
]
