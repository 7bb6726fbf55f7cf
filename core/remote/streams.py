"""Bytes to a server and back: asyncio's own transports as the streams of the HTTP library.

The library's own streams go through anyio, which for each request sends its head and its body one
by one, registers the socket anew before it reads, and asks the system for the socket's addresses.
After each of these calls the thread waits for Python's lock, which for small images took longer
than all else.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_NEXT_ADDRESS_SECONDS = 0.25
# More is not read before somebody takes it.
_MOST_UNREAD = 1_000_000


class Streams:
    """Opens streams, as an `AsyncNetworkBackend` of the library `core` (httpcore) does."""

    def __init__(self, core: Any):
        self._core = core

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, **_: Any
    ) -> Stream:
        """Connects to whichever of the host's addresses answers first."""
        try:
            async with asyncio.timeout(timeout):
                return Stream(self._core, await self._connected(host, port))
        except TimeoutError as error:
            raise self._core.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise self._core.ConnectError(str(error)) from error

    async def _connected(self, host: str, port: int) -> _Connection:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        first, its_port, *_ = found[0][4]
        if len(found) > 1:
            try:
                _, connection = await loop.create_connection(
                    _Connection, host, port, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS
                )
            except OSError as error:
                if error.errno is not None:
                    raise
                # None of them answers. The first one's error, below, says why.
            else:
                return connection
        _, connection = await loop.create_connection(_Connection, str(first), int(its_port))
        return connection


class Stream:
    """One connection, for one request at a time, as an `AsyncNetworkStream`."""

    def __init__(self, core: Any, connection: _Connection):
        self._core, self._connection = core, connection
        self._unsent: list[bytes] = []
        self._write_timeout: float | None = None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Keeps the bytes until the answer is read: a request is sent in one call of the system."""
        self._write_timeout = timeout
        if buffer:
            self._unsent.append(buffer)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Returns what the server sent next; b"" at the end. May return more than `max_bytes`."""
        connection = self._connection
        if self._unsent:
            data, self._unsent = b"".join(self._unsent), []
            connection.send(data)
            # A server may answer and hang up before it has read all.
            await self._until(
                lambda: connection.is_sent or connection.has_news,
                self._write_timeout,
                self._core.WriteTimeout,
            )
        await self._until(lambda: connection.has_news, timeout, self._core.ReadTimeout)
        if data := connection.take():
            return data
        if connection.error is not None:
            raise self._core.ReadError(str(connection.error)) from connection.error
        return b""

    async def _until(
        self, is_so: Callable[[], bool], timeout: float | None, expired: type[Exception]
    ) -> None:
        try:
            while not is_so():
                await self._connection.change(timeout)
        except TimeoutError as error:
            raise expired(str(error)) from error

    async def aclose(self) -> None:
        """Closes it, at which the server stops answering."""
        self._connection.transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> Stream:
        """Encrypts the connection from now on."""
        connection = self._connection
        try:
            async with asyncio.timeout(timeout):
                encrypted = await asyncio.get_running_loop().start_tls(
                    connection.transport, connection, ssl_context, server_hostname=server_hostname
                )
        except TimeoutError as error:
            connection.transport.abort()
            raise self._core.ConnectTimeout(str(error)) from error
        except OSError as error:
            connection.transport.abort()
            raise self._core.ConnectError(str(error)) from error
        if encrypted is None:
            raise self._core.ConnectError("the server closed the connection")
        connection.transport = encrypted
        return self

    def get_extra_info(self, info: str) -> Any:
        """Returns what the library asks about a connection."""
        if info == "is_readable":  # At rest it is only if the server has hung up.
            return self._connection.has_news
        return self._connection.transport.get_extra_info(info)


class _Connection(asyncio.Protocol):
    """Collects what comes, and wakes who waits for it."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.is_sent = True
        self._blocks: list[bytes] = []
        self._unread = 0
        self._has_ended = self._is_paused = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def has_news(self) -> bool:
        """Whether something came that was not taken, if only the end."""
        return bool(self._blocks) or self._has_ended

    def send(self, data: bytes) -> None:
        """Sends what can be sent at once, and the rest when it can."""
        if not self._has_ended:
            self.transport.write(data)

    def take(self) -> bytes:
        """Returns what has come; b"" for nothing."""
        data = self._blocks[0] if len(self._blocks) == 1 else b"".join(self._blocks)
        self._blocks, self._unread = [], 0
        if self._is_paused:
            self._is_paused = False
            with suppress(RuntimeError):  # It was closed meanwhile.
                self.transport.resume_reading()
        return data

    async def change(self, timeout: float | None) -> None:
        """Waits until something comes, or more can be sent. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        waiter = self._waiter = loop.create_future()
        timer = None if timeout is None else loop.call_later(timeout, _expire, waiter)
        try:
            await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(0)

    def data_received(self, data: bytes) -> None:
        self._blocks.append(bytes(data))  # Windows may give a bytearray.
        self._unread += len(data)
        if self._unread > _MOST_UNREAD and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._has_ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_ended, self.error = True, exc or self.error
        self._wake()

    def pause_writing(self) -> None:
        self.is_sent = False

    def resume_writing(self) -> None:
        self.is_sent = True
        self._wake()


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
