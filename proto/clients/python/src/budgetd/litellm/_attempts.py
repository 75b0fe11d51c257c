"""Attempts under way: what a request to one deployment holds until its end is known."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from typing import Dict, List, Optional

from .. import Hold, new_key

# A hold lasts two minutes unless it is extended; a stream may have ten.
EXTEND_AFTER, EXTEND_BY, LONGEST = 60.0, 120.0, 600.0
MOST = 100_000


class Attempt:
    """One attempt at one deployment."""

    __slots__ = ("key", "deployment_id", "hold", "begun", "extended")

    def __init__(self, deployment_id: str, hold: Optional[Hold]) -> None:
        self.key = new_key()
        self.deployment_id, self.hold = deployment_id, hold
        self.begun = self.extended = time.monotonic()

    def was_extended(self) -> None:
        self.extended = time.monotonic()

    def cannot_be_extended(self) -> None:
        """Its hold is at its end already; what it held is still charged where there is no price."""
        self.extended = math.inf

    def release(self) -> None:
        if self.hold is not None:
            self.hold.release()


class Attempts:
    """By their key, the oldest first."""

    def __init__(self) -> None:
        self._open: Dict[str, Attempt] = OrderedDict()

    def begin(self, attempt: Attempt) -> None:
        if len(self._open) >= MOST:
            # Its hold ends by itself; its record goes without it.
            self._open.pop(next(iter(self._open)))
        self._open[attempt.key] = attempt

    def end(self, key: object) -> Optional[Attempt]:
        return self._open.pop(key, None) if isinstance(key, str) else None

    def to_extend(self) -> List[Attempt]:
        """Those whose hold would end before long, until `was_extended` says that it does not.
        Forgets what is too old to be under way."""
        now, found = time.monotonic(), []
        for key, attempt in list(self._open.items()):
            if now - attempt.begun > LONGEST:
                del self._open[key]
            elif attempt.hold is not None and now - attempt.extended > EXTEND_AFTER:
                found.append(attempt)
        return found

    def __len__(self) -> int:
        return len(self._open)
