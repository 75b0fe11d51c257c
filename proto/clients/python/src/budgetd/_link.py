"""The way to one address: its connection, made when it is needed, and pauses after failures."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
from typing import Callable, List, Optional

from . import _wire
from ._connection import Connection, NoAnswer
from ._errors import Invalid
from ._settings import Address, Pause, Settings


async def hosts_of(address: Address, loop: asyncio.AbstractEventLoop) -> List[str]:
    """What a name stands for; a number stands for itself."""
    try:
        ipaddress.ip_address(address.host.partition("%")[0])
        return [address.host]
    except ValueError:
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(one[4][0]) for one in found))


class Link:
    """One address. Everything happens on the client's loop."""

    def __init__(self, address: Address, settings: Settings) -> None:
        self.address, self._settings = address, settings
        self._connection: Optional[Connection] = None
        self._dialling: Optional[asyncio.Task[Connection]] = None
        self._pause = Pause(settings.pause, settings.longest_pause)
        self._why = ""
        #: Called when the connection has ended.
        self.on_end: Callable[[], None] = lambda: None

    @property
    def connection(self) -> Optional[Connection]:
        """The connection, if it is open."""
        found = self._connection
        return found if found is not None and found.open else None

    def pausing(self, now: float) -> float:
        """How many seconds it is to be left alone."""
        return max(0.0, self._pause.until - now)

    async def connected(self) -> Connection:
        """The connection, made now if there is none; NoAnswer where that is not to be had."""
        found = self.connection
        if found is not None:
            return found
        if self._dialling is None:
            loop = asyncio.get_running_loop()
            left = self.pausing(loop.time())
            if left > 0:
                raise NoAnswer(f"{self.address.text} is left alone for {round(left * 1000)} ms "
                               f"after: {self._why}", False)
            self._dialling = loop.create_task(self._dial())
            self._dialling.add_done_callback(self._dialled)
        # Who gives up waiting must not end it for the others.
        return await asyncio.shield(self._dialling)

    def _dialled(self, task: asyncio.Task[Connection]) -> None:
        self._dialling = None
        if not task.cancelled():
            task.exception()  # whoever waits has it; nobody may be left

    async def _dial(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            connection = await self._open(loop)
            await self._introduce(connection)
        except NoAnswer as error:
            self._why = str(error)
            self._pause.failed(loop.time())
            raise
        self._pause.over()
        self._connection = connection
        connection.ended.add_done_callback(lambda _: self.on_end())
        return connection

    async def _open(self, loop: asyncio.AbstractEventLoop) -> Connection:
        address, settings = self.address, self._settings

        try:
            return await asyncio.wait_for(self._made(loop), settings.connect_timeout)
        except ssl.SSLError as error:
            why = getattr(error, "verify_message", "") or error.reason or str(error)
            words = f"no encrypted connection to {address.text}: {why}"
        except asyncio.TimeoutError:
            words = (f"no connection to {address.text}: not within "
                     f"{round(settings.connect_timeout * 1000)} ms")
        except OSError as error:
            # asyncio's own words have the address in them again.
            why = os.strerror(error.errno) if (error.errno or 0) > 0 else error.strerror or error
            words = f"no connection to {address.text}: {why}"
        raise NoAnswer(words, False)

    async def _made(self, loop: asyncio.AbstractEventLoop) -> Connection:
        address, settings = self.address, self._settings

        def new() -> Connection:
            return Connection(address.text, loop)

        if address.path:
            return (await loop.create_unix_connection(new, address.path))[1]
        name = settings.server_name or address.host if settings.tls else None
        until = loop.time() + settings.connect_timeout
        hosts = await hosts_of(address, loop)
        while True:
            host = hosts.pop(0)
            opening = loop.create_connection(
                new, host, address.port, ssl=settings.tls, server_hostname=name)
            # One that takes no connections must not use up the time of those after it.
            share = (until - loop.time()) / (len(hosts) + 1)
            try:
                return (await asyncio.wait_for(opening, share if hosts else None))[1]
            except (OSError, asyncio.TimeoutError):
                if not hosts:
                    raise

    async def _introduce(self, connection: Connection) -> None:
        """Says who this is, where there is a token."""
        try:
            token = self._settings.token()
        except Invalid as error:
            connection.close()
            raise NoAnswer(str(error), False) from None
        if token is None:
            return
        try:
            reply = await connection.call(_wire.authenticate(token), self._settings.connect_timeout)
        except BaseException:
            # Nobody will use it, and the next try makes another.
            connection.close()
            raise
        # A server that does not know the method has no access file.
        if reply.code not in (_wire.OK, _wire.UNIMPLEMENTED):
            connection.close()
            text = _wire.status_text(reply.code, reply.message)
            raise NoAnswer(f"{self.address.text} answered {text}", False)

    async def close(self) -> None:
        if self._dialling is not None:
            self._dialling.cancel()
        if self._connection is not None:
            self._connection.close()
            if self._connection.open:
                await asyncio.wait([self._connection.ended], timeout=1)
