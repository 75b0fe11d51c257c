"""The servers of a case: one that does what the steps say, and a real budgetd behind a relay."""

import asyncio
import contextlib
import json
import os
import re
import signal
import struct
import subprocess
import time

SECONDS = 10
READY = re.compile(r"^budgetd ready rpc=127\.0\.0\.1:(\d+)", re.MULTILINE)


async def read_frame(reader):
    (length,) = struct.unpack(">I", await reader.readexactly(4))
    return await reader.readexactly(length)


def framed(message):
    return struct.pack(">I", len(message)) + message


class Scripted:
    """Listens; keeps what it gets in order, and says what the steps say."""

    def __init__(self):
        self.port = 0
        self.frames = asyncio.Queue()
        self.writers = []
        self.last = None  # the connection of the last frame that a step has taken
        self.server = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    async def listen(self):
        self.server = await asyncio.start_server(self.accepted, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def accepted(self, reader, writer):
        self.writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await self.frames.put((await read_frame(reader), writer))
        with contextlib.suppress(ConnectionError):
            writer.close()

    async def receive(self):
        return await asyncio.wait_for(self.frames.get(), SECONDS)

    def send(self, data):
        assert self.last is not None, "no frame was taken yet"
        self.last.write(data)

    async def cut(self):
        self.last.close()
        await asyncio.sleep(0)

    async def away(self):
        self.server.close()
        for writer in self.writers:
            writer.close()
        await asyncio.sleep(0)

    async def end(self):
        if self.server is not None:
            await self.away()


class Relayed(Scripted):
    """A real budgetd; the client speaks to the relay, whose address stays."""

    def __init__(self, program, folder, config, arguments):
        super().__init__()
        self.program, self.folder, self.arguments = program, folder, arguments
        self.folder.mkdir()
        # JSON is YAML too.
        (folder / "config.yaml").write_text(json.dumps(config))
        self.process, self.rpc = None, 0
        self.letting = asyncio.Event()
        self.letting.set()

    async def listen(self):
        await self.start()
        await super().listen()

    async def start(self):
        with open(self.folder / "out", "wb") as out, open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "--config", str(self.folder / "config.yaml"), "--listen",
                 "127.0.0.1:0", "--http", "off", "--data-dir", str(self.folder / "data"),
                 *self.arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        deadline = time.monotonic() + 3 * SECONDS
        while not (ready := READY.search((self.folder / "out").read_text())):
            log = (self.folder / "log").read_text()
            assert self.process.poll() is None, f"budgetd ended:\n{log}"
            assert time.monotonic() < deadline, f"budgetd is not ready:\n{log}"
            await asyncio.sleep(0.01)
        self.rpc = int(ready[1])

    async def accepted(self, reader, writer):
        self.writers.append(writer)
        try:
            inner, outer = await asyncio.open_connection("127.0.0.1", self.rpc)
        except OSError:
            writer.close()
            return

        async def replies():
            while data := await inner.read(1 << 16):
                await self.letting.wait()
                writer.write(data)

        back = asyncio.ensure_future(replies())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                frame = await read_frame(reader)
                await self.frames.put((frame, writer))
                outer.write(framed(frame))
        with contextlib.suppress(ConnectionError):
            await asyncio.wait({back}, timeout=0.1 if self.letting.is_set() else 0)
        back.cancel()
        outer.close()
        writer.close()

    async def kill(self):
        self.process.kill()
        self.process.wait()
        await self.cut_all()

    async def cut_all(self):
        for writer in self.writers:
            writer.close()
        self.writers.clear()
        await asyncio.sleep(0)

    def signal(self, number):
        os.kill(self.process.pid, number)

    async def call(self, message):
        """One request beside the client's."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.rpc)
        writer.write(framed(message))
        reply = await asyncio.wait_for(read_frame(reader), SECONDS)
        writer.close()
        return reply

    async def end(self):
        await super().end()
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
