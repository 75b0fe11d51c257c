"""The client for asyncio."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
import time
import weakref
from types import TracebackType
from typing import Any, Callable, Generator, List, Optional, Sequence, Tuple, Type, Union

from . import _wire
from ._answers import Answer, Budgets, Candidate, Pong, Stats
from ._connection import NoAnswer
from ._errors import BudgetError, Closed, Denied, Invalid, Refused, Unavailable
from ._link import Link
from ._outbox import Outbox
from ._settings import (
    Settings, addresses, checked_cost, checked_key, checked_request, milliseconds,
)
from ._wire import Charged

_DEFAULT_TTL = 120.0
OTHER_LOOP = ("the client belongs to another event loop: make one for each and close it there, or "
              "use SyncClient")
FORKED = "the client was made before this process was forked: make one in each process"

_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def _forked() -> None:
    for client in list(_clients):
        client._left_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def new_key() -> str:
    """A UUIDv7: what makes a record's repetition harmless."""
    return key_of(time.time_ns() // 1_000_000, os.urandom(10))


def key_of(milliseconds: int, digits: bytes) -> str:
    """The UUIDv7 of that time with these ten bytes."""
    chance = int.from_bytes(digits, "big")
    value = (milliseconds & 0xFFFFFFFFFFFF) << 80 | 7 << 76 | (chance >> 64 & 0xFFF) << 64
    value |= 2 << 62 | chance & 0x3FFFFFFFFFFFFFFF
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Client:
    """Budgets, for routers on asyncio. `server`: one address or several, `host:port` or
    `unix:PATH`. `on_unavailable`: `open` or `closed`, what filters and reservations do while no
    address answers. It connects when it is first used, in the loop that runs then.

        async with Client("127.0.0.1:7077", on_unavailable="open") as budgets:
            answer = await budgets.filter([Candidate("gpt-4o-eu", model="azure/gpt-4o")])
            budgets.record(0.25, deployment_id="gpt-4o-eu")
    """

    def __init__(
        self, server: Union[str, Sequence[str]], *, on_unavailable: Optional[str] = None,
        **settings: Any,
    ) -> None:
        self._settings = Settings(on_unavailable=on_unavailable, **settings)
        self._links = [Link(address, self._settings) for address in addresses(server)]
        if self._settings.tls is not None:
            for link in self._links:
                if link.address.path:
                    raise Invalid(f"{link.address.text} is not encrypted: leave tls_ca away, or "
                                  "give host:port")
        self._stats = Stats()
        self._outbox = Outbox(self._links, self._settings, self._stats)
        self._preferred = 0
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._closed = self._is_parents = False
        _clients.add(self)

    async def filter(
        self, candidates: Sequence[Candidate] = (), *, tags: Sequence[str] = (),
        model_name: str = "", estimate: float = 0.0,
    ) -> Answer:
        """Which candidates are within budget. Without candidates those configured for
        `model_name` are. `estimate`: US dollars that the request may cost."""
        body = _wire.filter_deployments(candidates, tags, model_name, estimate)
        try:
            reply, _ = await self._ask(body, self._settings.filter_timeout)
        except Unavailable as error:
            answer = Answer(list(range(len(candidates))))
            answer.unavailable = self._opened(error)
            return answer
        if reply.code == _wire.OK:
            allowed = _wire.only_allowed(reply.result)
            if allowed is not None:
                return Answer(allowed)
        elif reply.code != _wire.RESOURCE_EXHAUSTED:
            raise Refused(reply.code, reply.message)
        found = _wire.filtered(reply.result)
        answer = Answer(found.allowed)
        answer.denials, answer.candidates = found.denials, found.candidates
        answer.denials_omitted, answer.message = found.omitted, reply.message
        return answer

    def reserve(
        self, candidates: Optional[Sequence[Candidate]] = None, *, provider: str = "",
        deployment_id: str = "", model: str = "", model_name: str = "",
        tags: Sequence[str] = (), amount: Optional[float] = None, ttl: float = 0.0, key: str = "",
    ) -> Reserving:
        """Holds `amount` (US dollars; None: budgetd's estimate) for the first of the candidates
        that has room, or for what is named. `await` gives the hold; `async with` gives it too, and
        releases it at the end unless it was settled. Raises Denied where there is no room."""
        charged = Charged(provider, deployment_id, model, tags, model_name)
        return Reserving(self, candidates, charged, amount, ttl, checked_key(key or new_key()))

    async def _reserve(self, asked: Reserving) -> Hold:
        charged, ttl_ms = asked.charged, milliseconds(asked.ttl) if asked.ttl else 0
        if asked.candidates is None:
            body = _wire.reserve_spend(charged, asked.amount, ttl_ms, asked.key)
        else:
            body = _wire.filter_deployments(asked.candidates, charged.tags, charged.model_name, 0.0)
            body = _wire.reserving(body, asked.amount, ttl_ms, asked.key)
        read = _wire.reserved if asked.candidates is None else _wire.filtered

        def unwanted(place: int, call: asyncio.Future[_wire.Reply]) -> None:
            """Whoever asked was cancelled, and nobody else would give back what is held."""
            if not call.cancelled() and call.exception() is None and call.result().code == _wire.OK:
                found = read(call.result().result)
                hold = Hold(self, charged, place)
                hold.id, hold.expires_at_ms = found.reservation, found.expires_at_ms
                hold.release()

        try:
            reply, place = await self._ask(body, self._settings.reserve_timeout, unwanted=unwanted)
        except Unavailable as error:
            hold = Hold(self, charged, self._preferred)
            hold.unavailable = self._opened(error)
            return hold
        if reply.code not in (_wire.OK, _wire.RESOURCE_EXHAUSTED):
            raise Refused(reply.code, reply.message)
        found = read(reply.result)
        if reply.code == _wire.RESOURCE_EXHAUSTED:
            raise Denied(reply.message, found.denials)
        if found.chosen is not None and asked.candidates:
            one = (found.candidates or asked.candidates)[found.chosen]
            charged = Charged(one.provider, one.id, one.model, charged.tags,
                              charged.model_name or one.model_name)
        elif found.chosen is not None:
            one = found.candidates[found.chosen]
            charged = Charged(one.provider, one.id, one.model, charged.tags, charged.model_name)
        hold = Hold(self, charged, place)
        hold.id, hold.chosen = found.reservation, found.chosen
        hold.reserved, hold.expires_at_ms = found.reserved or asked.amount or 0.0, \
            found.expires_at_ms
        hold.denials = found.denials
        return hold

    def record(
        self, cost: float, *, provider: str = "", deployment_id: str = "", model: str = "",
        model_name: str = "", tags: Sequence[str] = (), key: str = "", reservation: str = "",
    ) -> str:
        """Puts what a request cost into the outbox, and returns its key. Never waits. It is sent
        until budgetd has answered; may be called from any thread once the client is in use."""
        charged = Charged(provider, deployment_id, model, tags, model_name)
        return self._record(charged, cost, key, reservation, self._preferred)

    def _record_once(
        self, cost: float, key: str, old: Callable[[str], None], charged: Charged,
    ) -> None:
        """Records what other processes record with the same key: all at the same address, for nodes
        do not know each other's keys. `old` is called where the key is older than any that budgetd
        remembers."""
        def chance(place: int) -> bytes:
            return hashlib.sha256(f"{self._links[place].address.text} {key}".encode()).digest()

        self._record(charged, cost, key, "", max(range(len(self._links)), key=chance), old)

    def _record(
        self, charged: Charged, cost: float, key: str, reservation: str, place: int,
        old: Optional[Callable[[str], None]] = None,
    ) -> str:
        if self._closed:
            raise self._over()
        if self._loop is not None and self._loop.is_closed():
            raise Invalid(OTHER_LOOP)
        key = checked_key(key or new_key())
        body = checked_request(
            _wire.record_spend(charged, checked_cost(cost), key, reservation))
        self._begin(required=False)
        self._outbox.owe(key, body, place, old)
        return key

    def _release(self, hold: Hold) -> None:
        if self._closed:
            return
        self._begin(required=False)
        until = hold.expires_at_ms / 1000 or time.time() + _DEFAULT_TTL
        self._outbox.release(_wire.release_reservation(hold.id), hold._place, until)

    async def _extend(self, hold: Hold, ttl: float) -> int:
        body = _wire.extend_reservation(hold.id, milliseconds(ttl))
        reply, _ = await self._ask(body, self._settings.reserve_timeout, only=hold._place)
        if reply.code != _wire.OK:
            raise Refused(reply.code, reply.message)
        return _wire.expires_at_ms(reply.result)

    async def budgets(
        self, *, deployments: bool = False, tags: bool = False, models: bool = False,
        pools: bool = False,
    ) -> Budgets:
        """Where the budgets stand: all pages together."""
        found, token = Budgets(), ""
        while True:
            body = _wire.get_provider_budgets(deployments, tags, models, pools, token)
            reply, _ = await self._ask(body, self._settings.call_timeout)
            if reply.code != _wire.OK:
                raise Refused(reply.code, reply.message)
            token = _wire.budgets(reply.result, found)
            if not token:
                return found

    async def ping(self) -> Pong:
        """Who answers, and whether it is ready."""
        reply, _ = await self._ask(_wire.ping(), self._settings.call_timeout)
        if reply.code != _wire.OK:
            raise Refused(reply.code, reply.message)
        return _wire.pong(reply.result)

    @property
    def stats(self) -> Stats:
        self._stats.owed = self._outbox.owed
        return self._stats

    async def flush(self, timeout: Optional[float] = None) -> int:
        """Waits until no record is owed, `timeout` seconds at most; how many still are."""
        self._begin()
        self._check_loop()
        return await self._outbox.flush(timeout)

    async def close(self, timeout: float = 5.0) -> int:
        """Flushes, and ends. What is still owed (the result says how much) is lost, or stays in
        the journal."""
        if self._closed:
            return 0
        if self._loop is not None and self._loop.is_closed():
            self._closed = True
            return self._outbox.leave()
        owed = await self.flush(timeout)
        self._closed = True
        self._outbox.close()
        for link in self._links:
            await link.close()
        return owed

    async def __aenter__(self) -> Client:
        self._begin()
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.close()

    def _begin(self, required: bool = True) -> None:
        """Takes the running loop as its own, once."""
        if self._loop is not None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            if required:
                raise
            return  # a record before the first call waits for it
        self._loop = loop
        self._outbox.start(loop)

    def _check_loop(self) -> None:
        # Answers come to the loop that has the connections: another would wait for ever.
        if asyncio.get_running_loop() is not self._loop:
            raise Invalid(OTHER_LOOP)

    def _over(self) -> BudgetError:
        return Invalid(FORKED) if self._is_parents else Closed()

    def _left_to_parent(self) -> None:
        """In a process that was forked, which has neither the loop's thread nor a connection."""
        if not self._closed:
            self._closed = self._is_parents = True
            self._outbox.left_to_parent()

    def _opened(self, error: Unavailable) -> str:
        self._stats.unavailable += 1
        if not self._settings.opens:
            raise error
        return error.reason

    async def _ask(
        self, body: bytes, timeout: float, only: Optional[int] = None,
        unwanted: Optional[Callable[[int, asyncio.Future[_wire.Reply]], None]] = None,
    ) -> Tuple[_wire.Reply, int]:
        """An answer, and the place of the address that gave it. Each address is asked once, a
        single one twice. `unwanted` gets an answer that comes after the caller was cancelled."""
        if self._closed:
            raise self._over()
        checked_request(body)
        if self._loop is None:
            self._begin()
        self._check_loop()
        links = self._links
        count, first = len(links), self._preferred if only is None else only
        reason = ""
        for attempt in range(max(count, 2) if only is None else 2):
            place = (first + attempt) % count if only is None else only
            link = links[place]
            try:
                connection = link.connection or await link.connected()
                call = connection.call(body, timeout)
                if unwanted is None:
                    reply = await call
                else:
                    try:
                        reply = await asyncio.shield(call)
                    except asyncio.CancelledError:
                        call.add_done_callback(functools.partial(unwanted, place))
                        raise
            except NoAnswer as error:
                if self._closed:
                    raise self._over() from None
                # That an address is in a pause says less than why another try failed.
                reason = str(error) if error.sent or not reason else reason
                continue
            if reply.code == _wire.UNAVAILABLE or reply.code == _wire.DEADLINE_EXCEEDED:
                text = _wire.status_text(reply.code, reply.message)
                reason = f"{link.address.text} answered {text}"
                continue
            if only is None:
                self._preferred = place
            return reply, place
        raise Unavailable(reason)


class Hold:
    """An amount that is held until `settle`, `release`, or its end. Only its first end counts."""

    def __init__(self, client: Client, charged: Charged, place: int) -> None:
        self._client, self._charged, self._place = client, charged, place
        self._key = ""
        #: The reservation; empty where budgetd was not there to make one.
        self.id = ""
        #: The position of the candidate that it is for.
        self.chosen: Optional[int] = None
        self.reserved = 0.0
        self.expires_at_ms = 0
        self.denials: List[Any] = []
        #: Why budgetd was not asked; None: it was.
        self.unavailable: Optional[str] = None
        #: Whether it was settled or released.
        self.ended = False

    def settle(
        self, cost: float, *, provider: str = "", deployment_id: str = "", model: str = "",
        model_name: str = "", tags: Optional[Sequence[str]] = None, key: str = "",
    ) -> str:
        """Records the cost in place of the hold, as `record` does, and returns the record's key.
        Names that are given say what is charged; without any it is what was reserved."""
        if self.ended:
            return self._key
        charged = self._charged
        if provider or deployment_id or model or model_name or tags is not None:
            charged = Charged(provider, deployment_id, model, tags or (), model_name)
        self._key = self._client._record(charged, cost, key, self.id, self._place)
        self.ended = True
        return self._key

    def release(self) -> None:
        """Gives the amount back. Does not wait."""
        if not self.ended:
            self.ended = True
            if self.id:
                self._client._release(self)

    async def extend(self, ttl: float) -> int:
        """Lasts `ttl` seconds from now at least; when it ends, in Unix milliseconds."""
        if self.id and not self.ended:
            self.expires_at_ms = await self._client._extend(self, ttl)
        return self.expires_at_ms


class Reserving:
    """What `reserve` gives: to be awaited, or entered."""

    def __init__(
        self, client: Client, candidates: Optional[Sequence[Candidate]], charged: Charged,
        amount: Optional[float], ttl: float, key: str,
    ) -> None:
        self._client, self.candidates, self.charged = client, candidates, charged
        self.amount, self.ttl, self.key = amount, ttl, key
        self._hold: Optional[Hold] = None

    def __await__(self) -> Generator[Any, None, Hold]:
        return self._client._reserve(self).__await__()

    async def __aenter__(self) -> Hold:
        self._hold = await self._client._reserve(self)
        return self._hold

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._hold is not None:
            self._hold.release()
