"""Why a call has no result. The kinds and their words are those of every client: ../README.md."""

from __future__ import annotations

from typing import List, Sequence

from ._answers import Denial
from ._wire import code_name, status_text


class BudgetError(Exception):
    """Any error of this package."""

    kind = ""

    @property
    def message(self) -> str:
        return str(self)


class Denied(BudgetError):
    """No candidate of a reservation has room."""

    kind = "denied"

    def __init__(self, message: str, denials: Sequence[Denial] = ()) -> None:
        super().__init__(message)
        self.denials: List[Denial] = list(denials)


class Refused(BudgetError):
    """The server answered with a status that another try does not change."""

    kind = "refused"

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"the server answered {status_text(code, message)}")
        self.code, self.code_name = code, code_name(code)


class Unavailable(BudgetError):
    """No address answered."""

    kind = "unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(f"budgetd does not answer: {reason}")
        self.reason = reason


class OutboxFull(BudgetError):
    """As many records are owed as may be."""

    kind = "outbox_full"

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} records wait already, the most there may be")


class Closed(BudgetError):
    """The client was closed."""

    kind = "closed"

    def __init__(self) -> None:
        super().__init__("the client was closed")


class Invalid(BudgetError, ValueError):
    """An option or an argument is not what it has to be."""

    kind = "invalid"
