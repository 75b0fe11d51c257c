"""One connection: frames out, those of a turn of the loop together; replies in, each to its call."""

from __future__ import annotations

import asyncio
import functools
import heapq
from typing import Dict, List, Optional, Tuple, cast

from . import _wire
from ._settings import milliseconds


# So many calls may wait for a server that does not read.
MOST_UNWRITTEN = 65_536
# Seconds: where nothing at all came for so long, the peer may be gone.
SILENCE = 1.0


@functools.lru_cache(maxsize=64)
def _timeout(seconds: float) -> bytes:
    return _wire.timeout(milliseconds(seconds))


class NoAnswer(Exception):
    """A call without an answer of its own."""

    def __init__(self, reason: str, sent: bool) -> None:
        super().__init__(reason)
        #: Whether bytes of it may have reached the server.
        self.sent = sent


class Connection(asyncio.Protocol):
    """Frames and calls of one connection that is open."""

    def __init__(self, address: str, loop: asyncio.AbstractEventLoop) -> None:
        self._address, self._loop = address, loop
        self._transport: Optional[asyncio.Transport] = None
        self._calls: Dict[int, asyncio.Future[_wire.Reply]] = {}
        self._last_call = 0
        self._unwritten: List[Tuple[int, float, bytes]] = []
        self._writing = False
        self._paused = False
        # When, the timeout, and the calls of one write that have it.
        self._deadlines: List[Tuple[float, float, List[int]]] = []
        self._timer: Optional[asyncio.TimerHandle] = None
        self._timer_at = 0.0
        self._received = b""
        self._heard = loop.time()
        self._farewell = ""
        self.open = False
        self.ended: asyncio.Future[None] = loop.create_future()

    @property
    def under_way(self) -> int:
        return len(self._calls)

    def call(self, body: bytes, timeout: float) -> asyncio.Future[_wire.Reply]:
        """Sends a method; the future has its reply, or fails with NoAnswer."""
        future: asyncio.Future[_wire.Reply] = self._loop.create_future()
        if not self.open:
            future.set_exception(NoAnswer(self._lost(), False))
            return future
        if self._paused and len(self._unwritten) >= MOST_UNWRITTEN:
            words = f"{self._address} takes nothing more: as many calls wait as may"
            future.set_exception(NoAnswer(words, False))
            return future
        self._last_call += 1
        number = self._last_call
        self._calls[number] = future
        self._unwritten.append((number, timeout, body))
        if self._paused:
            # A server that does not read may never let it be written: its deadline begins now.
            heapq.heappush(self._deadlines, (self._loop.time() + timeout, timeout, [number]))
            self._arm()
        elif not self._writing:
            # The first of a turn leaves now: on a busy loop the turn's end may be far. The others leave
            # together then.
            self._write()
            if not self._paused:
                self._writing = True
                self._loop.call_soon(self._write)
        return future

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _write(self, begun: bool = False) -> None:
        """Everything that waits, in one write. Deadlines begin here, unless
        they have `begun` while the socket was full."""
        self._writing = False
        if self._transport is None or not self.open:
            return
        batch, self._unwritten = self._unwritten, []
        frames = []
        numbers: Dict[float, List[int]] = {}
        # A moment before the write: a full socket must not make the deadline later.
        now = self._loop.time()
        for number, timeout, body in batch:
            if number not in self._calls:
                continue
            frames.append(_wire.frame(number, _timeout(timeout), body))
            alike = numbers.get(timeout)
            if alike is None:
                numbers[timeout] = alike = []
            alike.append(number)
        if not begun:
            for timeout, alike in numbers.items():
                heapq.heappush(self._deadlines, (now + timeout, timeout, alike))
        if frames:
            self._transport.write(b"".join(frames))
            if self._deadlines:
                self._arm()

    def _arm(self) -> None:
        earliest = self._deadlines[0][0]
        if self._timer is not None:
            if self._timer_at <= earliest:
                return
            self._timer.cancel()
        self._timer_at = earliest
        self._timer = self._loop.call_at(earliest, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now, is_silent = self._loop.time(), False
        unwritten = {number for number, _, _ in self._unwritten} if self._paused else ()
        while self._deadlines and self._deadlines[0][0] <= now:
            until, timeout, numbers = heapq.heappop(self._deadlines)
            for number in numbers:
                future = self._calls.pop(number, None)
                if future is not None and not future.done():
                    is_silent |= timeout >= SILENCE and self._heard <= until - timeout
                    words = f"no answer from {self._address} within {milliseconds(timeout)} ms"
                    future.set_exception(NoAnswer(words, number not in unwritten))
        if unwritten:
            self._unwritten = [one for one in self._unwritten if one[0] in self._calls]
        # Calls that were answered meanwhile leave their deadlines behind.
        while self._deadlines and self._calls.keys().isdisjoint(self._deadlines[0][2]):
            heapq.heappop(self._deadlines)
        if self._deadlines:
            self._arm()
        if is_silent and self._transport is not None:
            # A peer that is gone without a word would keep the connection for a quarter of an hour.
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.open = True

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._unwritten:
            self._write(begun=True)

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        if self._received:
            data = self._received + data
        at, end = 0, len(data)
        try:
            while end - at >= 4:
                size = int.from_bytes(data[at:at + 4], "big")
                if size > _wire.LONGEST_RESPONSE:
                    raise _wire.Malformed(f"a response of {size} bytes")
                if end - at - 4 < size:
                    break
                self._replied(_wire.reply(data[at + 4:at + 4 + size]))
                at += 4 + size
        except _wire.Malformed as error:
            self._farewell = f"{self._address} does not speak budget.v1: {error}"
            if self._transport is not None:
                self._transport.abort()
            at = end
        self._received = data[at:]

    def _replied(self, reply: _wire.Reply) -> None:
        if reply.call_id == 0:
            # It answers no call: it says why the server is about to close the connection.
            self._farewell = _wire.status_text(reply.code, reply.message)
            return
        future = self._calls.pop(reply.call_id, None)
        if future is not None and not future.done():
            future.set_result(reply)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Optional[BaseException]) -> None:
        self.open = False
        if self._timer is not None:
            self._timer.cancel()
        unwritten = {number for number, _, _ in self._unwritten}
        calls, self._calls = self._calls, {}
        self._unwritten = []
        for number, future in calls.items():
            if not future.done():
                future.set_exception(NoAnswer(self._lost(), number not in unwritten))
        if not self.ended.done():
            self.ended.set_result(None)

    def _lost(self) -> str:
        if self._farewell.startswith(self._address):
            return self._farewell
        words = f"the connection to {self._address} was lost before the answer came"
        return f"{words}: {self._farewell}" if self._farewell else words
