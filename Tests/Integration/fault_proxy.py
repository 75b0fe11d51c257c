"""A TCP proxy that breaks what runs through it, on command. Its address stays while what stands
behind it changes: a Redis that is restarted elsewhere, a replica that takes over."""

import asyncio
import random
import socket
import struct
import threading

RETRANSMIT = 0.2  # seconds: what a lost segment costs; TCP's least retransmission timeout


class FaultProxy:
    """Listens on 127.0.0.1; `target` is a Unix socket's path or a (host, port).

    Methods may be called from any thread; each returns once it is in force.
    """

    def __init__(self, target, seed=1):
        self.target = target
        self.random = random.Random(seed)
        self.accepted = 0
        self.swallowed = 0       # bytes of replies that never arrived
        self.requested = 0       # bytes that came from clients
        self.reply_delay = 0.0
        self.loss_share = 0.0
        self.swallowing = None   # replies are lost on a connection that asked for this
        self.frozen = False
        self.cut_after = None
        self.pairs = set()
        # Bound and never listening: while the proxy refuses, nobody else is given the port.
        self.holder = bound(("127.0.0.1", 0))
        self.address = self.holder.getsockname()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = None
        self.do(self._accept())

    @property
    def port(self):
        return self.address[1]

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    # Commands

    def heal(self):
        """No fault is in force any more; connections that are cut stay cut."""
        self.do(self._set(reply_delay=0.0, loss_share=0.0, swallowing=None, frozen=False,
                          cut_after=None))
        if self.server is None:
            self.accept()

    def delay(self, seconds):
        """Each reply arrives that much later; requests do not wait for each other."""
        self.do(self._set(reply_delay=seconds))

    def lose(self, share):
        """That share of all segments is lost and sent again, as TCP would."""
        self.do(self._set(loss_share=share))

    def swallow_replies(self, to=b""):
        """Requests arrive, replies never do: on each connection from the first request on that has
        the bytes `to` in it, in capital letters."""
        self.do(self._set(swallowing=to))

    def freeze(self):
        """A black hole: nothing arrives on either side, connections stay, new ones are taken."""
        self.do(self._set(frozen=True))

    def cut(self, after):
        """All connections end once `after` more bytes came from clients, in mid-request."""
        self.do(self._set(cut_after=after))

    def reset(self):
        """Every connection ends at once, with RST."""
        self.do(self._reset())

    def refuse(self):
        """Connections end, and new ones are refused, until `accept` or `heal`."""
        self.do(self._refuse())

    def accept(self):
        self.do(self._accept())

    def retarget(self, target):
        """Connections end; new ones go to `target`."""
        self.do(self._retarget(target))

    def close(self):
        self.do(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # On the proxy's thread

    def do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    async def _set(self, **state):
        for name, value in state.items():
            setattr(self, name, value)

    async def _refuse(self):
        self.server.close()
        self.server = None
        await self._reset()

    async def _accept(self):
        listener = bound(self.address)
        listener.listen(128)
        self.server = await asyncio.start_server(self._connected, sock=listener)

    async def _retarget(self, target):
        self.target = target
        await self._reset()

    async def _reset(self):
        for writers in list(self.pairs):
            for writer in writers:
                abort(writer)

    async def _close(self):
        if self.server is not None:
            self.server.close()
        self.holder.close()
        await self._reset()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader, writer):
        self.accepted += 1
        try:
            if isinstance(self.target, tuple):
                far = await asyncio.open_connection(*self.target)
            else:
                far = await asyncio.open_unix_connection(str(self.target))
        except OSError:
            abort(writer)
            return
        pair, asked = (writer, far[1]), bytearray()
        self.pairs.add(pair)
        try:
            ways = [asyncio.ensure_future(way) for way in
                    (self._requests(reader, far[1], asked),
                     self._replies(far[0], writer, asked))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        except asyncio.CancelledError:
            pass  # the proxy closes; asyncio would log this as a fault of the callback
        finally:
            self.pairs.discard(pair)
            for one in pair:
                abort(one)

    async def _requests(self, reader, writer, asked):
        while data := await reader.read(65536):
            self.requested += len(data)
            if self.swallowing:
                asked += data.upper()
                # Enough of it to find a word that came in two pieces.
                if self.swallowing not in asked:
                    del asked[:-len(self.swallowing)]
            await self._thawed()
            await asyncio.sleep(self._lost())
            if self.cut_after is not None:
                data, self.cut_after = data[:self.cut_after], self.cut_after - len(data)
                writer.write(data)
                if self.cut_after <= 0:
                    self.cut_after = 0
                    await writer.drain()
                    return
                continue
            writer.write(data)
            await writer.drain()

    async def _replies(self, reader, writer, asked):
        waiting = asyncio.Queue()
        forward = asyncio.ensure_future(self._forward(waiting, writer))
        try:
            while data := await reader.read(65536):
                if self.swallowing is not None and self.swallowing in asked:
                    self.swallowed += len(data)
                    continue
                due = self.loop.time() + self.reply_delay + self._lost()
                waiting.put_nowait((due, data))
            waiting.put_nowait((self.loop.time() + self.reply_delay, None))
            await forward
        finally:
            forward.cancel()

    async def _forward(self, waiting, writer):
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(max(0.0, due - self.loop.time()))
            await self._thawed()
            if data is None:
                return
            writer.write(data)
            await writer.drain()

    async def _thawed(self):
        while self.frozen:
            await asyncio.sleep(0.01)

    def _lost(self):
        """How much later a segment comes: each loss doubles the wait for the next try."""
        wait, step = 0.0, RETRANSMIT
        while self.loss_share and self.random.random() < self.loss_share and step < 3:
            wait, step = wait + step, step * 2
        return wait


def bound(address):
    """A socket that has the address, beside any other of this kind that does not listen."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(address)
    return one


def abort(writer):
    """RST, not FIN: what waits to be sent is gone."""
    held = writer.get_extra_info("socket")
    if held is not None and held.fileno() >= 0 and held.family == socket.AF_INET:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
