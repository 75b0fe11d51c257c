"""What goes in and comes out: candidates, answers, budgets. Money is in US dollars."""

from __future__ import annotations

from typing import List, Optional, Tuple

SCOPES = ("", "provider", "deployment", "tag", "model", "pool", "total")


class _Shown:
    __slots__: Tuple[str, ...] = ()

    def __repr__(self) -> str:
        names = [name for name in self.__slots__ if not name.startswith("_")]
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({shown})"


class Candidate(_Shown):
    """A deployment that a request may go to. Use one object again and again: its bytes are kept.
    Do not change one that was used."""

    __slots__ = ("id", "model_name", "model", "provider", "estimate", "free", "_wire")

    def __init__(
        self, id: str = "", model_name: str = "", model: str = "", provider: str = "",
        estimate: Optional[float] = None, free: bool = False,
    ) -> None:
        self.id, self.model_name, self.model, self.provider = id, model_name, model, provider
        self.estimate, self.free = estimate, free
        self._wire: Optional[bytes] = None


class Denial(_Shown):
    """One budget that denied one candidate."""

    __slots__ = ("deployment", "scope", "name", "spend", "limit", "resets_at_ms", "withheld",
                 "mode", "window", "reserved")

    def __init__(self) -> None:
        self.deployment = self.scope = self.mode = 0
        self.name = self.window = ""
        self.spend = self.limit = self.withheld = self.reserved = 0.0
        self.resets_at_ms: Optional[int] = None

    @property
    def scope_name(self) -> str:
        """`provider`, `deployment`, `tag`, `model`, `pool` or `total`."""
        return SCOPES[self.scope] if self.scope < len(SCOPES) else ""


class Answer(_Shown):
    """Which candidates are within budget. True where one is."""

    __slots__ = ("allowed", "denials", "candidates", "denials_omitted", "message", "unavailable")

    def __init__(self, allowed: List[int]) -> None:
        self.allowed = allowed
        self.denials: List[Denial] = []
        self.candidates: List[Candidate] = []
        self.denials_omitted = 0
        #: Why nothing is allowed, in the server's words.
        self.message = ""
        #: Why budgetd was not asked: then every candidate is allowed. None: it was.
        self.unavailable: Optional[str] = None

    def __bool__(self) -> bool:
        return bool(self.allowed)


class Budget(_Shown):
    """Where one budget stands."""

    __slots__ = ("name", "limit", "period", "spend", "remaining", "resets_at_ms", "reserved",
                 "exhausted", "mode")

    def __init__(self) -> None:
        self.name = self.period = ""
        self.spend = self.reserved = 0.0
        self.limit: Optional[float] = None
        self.remaining: Optional[float] = None
        self.resets_at_ms: Optional[int] = None
        self.exhausted, self.mode = False, 0


class Budgets(_Shown):
    """All budgets, of each scope that was asked for."""

    __slots__ = ("providers", "deployments", "tags", "models", "pools", "total",
                 "reconciled_at_ms")

    def __init__(self) -> None:
        self.providers: List[Budget] = []
        self.deployments: List[Budget] = []
        self.tags: List[Budget] = []
        self.models: List[Budget] = []
        self.pools: List[Budget] = []
        self.total: List[Budget] = []
        self.reconciled_at_ms = 0


class Pong(_Shown):
    """Who answers, and whether it is ready."""

    __slots__ = ("version", "node_id", "ready", "durability", "store_state", "not_ready_reason",
                 "idempotency_horizon_ms", "methods", "role")

    def __init__(self) -> None:
        self.version = self.node_id = self.durability = self.store_state = ""
        self.not_ready_reason = self.role = ""
        self.ready, self.idempotency_horizon_ms = False, 0
        self.methods: List[str] = []


class Stats(_Shown):
    """What a client has done since it was made."""

    __slots__ = ("owed", "recorded", "duplicates", "dropped", "retries", "unavailable")

    def __init__(self) -> None:
        #: Records that are not answered yet.
        self.owed = 0
        #: Records that budgetd has taken, duplicates included.
        self.recorded = 0
        #: Records whose key budgetd had seen before.
        self.duplicates = 0
        #: Records that were refused for good.
        self.dropped = 0
        #: Records that were sent again.
        self.retries = 0
        #: Filters and reservations that `on_unavailable` has answered.
        self.unavailable = 0
