"""Records and releases on their way: queued, sent in order, sent again until they are answered."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
import time
from collections import deque
from typing import Callable, Deque, List, Optional

from . import _wire
from ._answers import Stats
from ._connection import Connection, NoAnswer
from ._errors import OutboxFull
from ._journal import Journal
from ._link import Link
from ._settings import Pause, Settings

MOST_SENT = 1024
ORPHANS_SECONDS = 60.0
# A record that ends so is not sent again: another try would be answered in the same way.
FINAL = (_wire.OK, _wire.ALREADY_EXISTS, _wire.INVALID_ARGUMENT, _wire.OUT_OF_RANGE)
NOT_APPLIED = (_wire.UNAVAILABLE, _wire.DEADLINE_EXCEEDED)

log = logging.getLogger("budgetd")


class Owed:
    """One record, or one release (without a key: it is not in the journal and may be forgotten)."""

    __slots__ = ("key", "body", "lane", "sent", "until", "old")

    def __init__(self, key: str, body: bytes, lane: Lane, until: float = 0.0) -> None:
        self.key, self.body, self.lane, self.until = key, body, lane, until
        #: Whether `lane`'s address may have it.
        self.sent = False
        #: Of a record that other processes send to this address too, which is its only one: called
        #: where it is too old for budgetd to know whether one of them was charged.
        self.old: Optional[Callable[[str], None]] = None


class Lane:
    """What is to be sent to one address."""

    def __init__(self, link: Link, settings: Settings) -> None:
        self.link = link
        self.waiting: Deque[Owed] = deque()
        self.sent = 0
        self.pause = Pause(settings.pause, settings.longest_pause)


class Outbox:
    """`owe` and `release` take from any thread; all else happens on the loop."""

    def __init__(self, links: List[Link], settings: Settings, stats: Stats) -> None:
        self._settings, self._stats = settings, stats
        self._lanes = [Lane(link, settings) for link in links]
        self._lock = threading.Lock()
        self._journal = Journal(settings.journal) if settings.journal is not None else None
        self._owed = 0
        self._arrived: Deque[Owed] = deque()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._called = False
        self._timer: Optional[asyncio.TimerHandle] = None
        self._orphans: Optional[asyncio.TimerHandle] = None
        self._dials: List[asyncio.Task[None]] = []
        self._idle: List[asyncio.Future[None]] = []
        self._closed = False

    @property
    def owed(self) -> int:
        return self._owed

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the loop, before anything is sent."""
        self._loop = loop
        for lane in self._lanes:
            lane.link.on_end = self._wake
        if self._journal is not None:
            self._adopt()
        self._wake()

    def owe(
        self, key: str, body: bytes, place: int, old: Optional[Callable[[str], None]] = None,
    ) -> None:
        """A record, best sent to the address at `place`; with `old`, to no other."""
        lane = self._lanes[place]
        with self._lock:
            if self._owed >= self._settings.outbox:
                raise OutboxFull(self._settings.outbox)
            self._owed += 1
        if self._journal is not None:
            self._journal.owe(key, lane.link.address.text, body)
        owed = Owed(key, body, lane)
        owed.old = old
        self._arrive(owed)

    def release(self, body: bytes, place: int, until: float) -> None:
        """A release: only that address knows the hold, and at `until` (Unix) there is none."""
        with self._lock:
            self._owed += 1
        self._arrive(Owed("", body, self._lanes[place], until))

    def _arrive(self, owed: Owed) -> None:
        self._arrived.append(owed)
        loop = self._loop
        if loop is None or self._called:
            return
        self._called = True
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None  # type: ignore[assignment]
        if running is loop:
            loop.call_soon(self._pump)
        else:
            loop.call_soon_threadsafe(self._pump)

    def _wake(self, _: object = None) -> None:
        if self._loop is not None and not self._called and not self._closed:
            self._called = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        """Sends what may be sent now, and sees to it that it is called for the rest."""
        self._called = False
        while self._arrived:
            owed = self._arrived.popleft()
            owed.lane.waiting.append(owed)
        if self._closed or self._loop is None:
            return
        now, soonest = self._loop.time(), 0.0
        for lane in self._lanes:
            if not lane.waiting:
                continue
            until = max(lane.pause.until, now + lane.link.pausing(now))
            if until > now:
                self._move(lane, now)
                soonest = min(soonest or until, until) if lane.waiting else soonest
                continue
            connection = lane.link.connection
            if connection is None:
                self._dial(lane)
                continue
            while lane.waiting and lane.sent < MOST_SENT:
                self._send(lane.waiting.popleft(), lane, connection)
        if soonest and not self._called:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(soonest, self._wake)

    def _move(self, lane: Lane, now: float) -> None:
        """What a lane in a pause has never sent goes to one that is in none."""
        other = next((one for one in self._lanes if one is not lane
                      and one.pause.until <= now and not one.link.pausing(now)), None)
        if other is None:
            return
        staying: Deque[Owed] = deque()
        for owed in lane.waiting:
            if owed.sent or owed.old is not None or not owed.key:
                staying.append(owed)
                continue
            owed.lane = other
            if self._journal is not None:
                self._journal.owe(owed.key, other.link.address.text, owed.body)
            other.waiting.append(owed)
            self._wake()
        lane.waiting = staying

    def _dial(self, lane: Lane) -> None:
        async def dial() -> None:
            try:
                await lane.link.connected()
            except NoAnswer:
                pass  # the link pauses, and says why to whoever asks
            self._wake()

        assert self._loop is not None
        self._dials = [task for task in self._dials if not task.done()]
        self._dials.append(self._loop.create_task(dial()))

    def _send(self, owed: Owed, lane: Lane, connection: Connection) -> None:
        lane.sent += 1
        if owed.sent:
            self._stats.retries += 1
        call = connection.call(owed.body, self._settings.record_timeout)
        call.add_done_callback(functools.partial(self._answered, owed, lane))

    def _answered(self, owed: Owed, lane: Lane, call: asyncio.Future[_wire.Reply]) -> None:
        lane.sent -= 1
        if call.cancelled() or self._loop is None:
            return
        error = call.exception()
        if isinstance(error, NoAnswer):
            owed.sent = owed.sent or error.sent
            self._again(owed, lane, pause=error.sent)
            return
        reply = call.result()
        if reply.code in FINAL or (not owed.key and reply.code != _wire.UNAVAILABLE):
            lane.pause.over()
            self._ended(owed, reply)
            return
        # An earlier try may be applied even if this one was not: then it stays where it is.
        if reply.code not in NOT_APPLIED:
            owed.sent = True
        text = _wire.status_text(reply.code, reply.message)
        log.warning("budgetd: %s answered a record with %s; it is sent again",
                    lane.link.address.text, text)
        self._again(owed, lane, pause=True)

    def _again(self, owed: Owed, lane: Lane, pause: bool) -> None:
        assert self._loop is not None
        now = self._loop.time()
        if pause and lane.pause.until <= now:
            lane.pause.failed(now)
        if not owed.key and owed.until <= time.time():
            self._end()
            return
        lane.waiting.append(owed)
        self._wake()

    def _ended(self, owed: Owed, reply: _wire.Reply) -> None:
        stats = self._stats
        if owed.key:
            if reply.code == _wire.OK:
                stats.recorded += 1
                stats.duplicates += _wire.recorded(reply.result)
            elif owed.old is not None and reply.code == _wire.ALREADY_EXISTS:
                # Another process has charged it, to other names.
                stats.recorded += 1
                stats.duplicates += 1
            elif owed.old is not None and reply.code == _wire.OUT_OF_RANGE:
                owed.old(reply.message)
            else:
                stats.dropped += 1
                text = _wire.status_text(reply.code, reply.message)
                log.error("budgetd: the record %s is not taken: %s", owed.key, text)
            if self._journal is not None:
                self._journal.done(owed.key)
        self._end()
        lane = owed.lane
        if lane.waiting:
            self._wake()

    def _end(self) -> None:
        with self._lock:
            self._owed -= 1
        if self._owed == 0:
            idle, self._idle = self._idle, []
            for future in idle:
                if not future.done():
                    future.set_result(None)

    def _adopt(self) -> None:
        """Takes over what processes that are no more have left, now and every minute."""
        assert self._journal is not None and self._loop is not None
        try:
            for path, entries in self._journal.orphans():
                for key, (address, body) in entries.items():
                    self._inherit(key, address, body)
                self._journal.forget(path)
                if entries:
                    log.warning("budgetd: %d records are owed by %s, which is no more",
                                len(entries), path)
        except OSError as error:
            log.error("budgetd: journals of others cannot be read: %s", error)
        self._orphans = self._loop.call_later(ORPHANS_SECONDS, self._adopt)

    def _inherit(self, key: str, address: str, body: bytes) -> None:
        assert self._journal is not None
        lane = next((one for one in self._lanes if one.link.address.text == address), None)
        owed = Owed(key, body, lane or self._lanes[0])
        # Whoever owned it may have sent it.
        owed.sent = lane is not None
        self._journal.owe(key, owed.lane.link.address.text, body)
        with self._lock:
            self._owed += 1
        self._arrived.append(owed)
        self._wake()

    async def flush(self, timeout: Optional[float]) -> int:
        """Waits until nothing is owed; how many still are."""
        if self._owed and timeout != 0:
            assert self._loop is not None
            future: asyncio.Future[None] = self._loop.create_future()
            self._idle.append(future)
            await asyncio.wait([future], timeout=timeout)
        return self._owed

    def left_to_parent(self) -> None:
        """In a process that was forked."""
        if self._journal is not None:
            self._journal.left_to_parent()

    def leave(self) -> int:
        """Where the loop is closed: what is owed stays in the journal."""
        if self._journal is not None:
            self._journal.close()
        return self._owed

    def close(self) -> None:
        self._closed = True
        for timer in (self._timer, self._orphans):
            if timer is not None:
                timer.cancel()
        for task in self._dials:
            task.cancel()
        if self._journal is not None:
            self._journal.close()
