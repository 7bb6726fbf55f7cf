"""Connections to one server: straight to it, or through a proxy by clients of the HTTP library."""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Any

from core.remote import fault
from core.remote.address import is_this_machine
from core.remote.direct import DirectConnection, core_failures
from core.transfer.network import connection_failures, http_library


class Connections:
    """Belongs to one event loop. `key` is sent to this address and nowhere else."""

    def __init__(self, address: str, key: str, connect_seconds: float):
        self._address, self._connect_seconds = address, connect_seconds
        self._headers = {"User-Agent": "onlooker", "Accept-Encoding": "identity"}
        if key:
            if not key.isprintable():  # The HTTP library would quote it in its error.
                raise fault.unusable_key(address)
            self._headers["Authorization"] = f"Bearer {key}"
        self._idle: list[DirectConnection | _ThroughProxy] = []
        self._open: set[DirectConnection | _ThroughProxy] = set()

    @asynccontextmanager
    async def answer(
        self, method: str, path: str, content: bytes | None, silent_seconds: float
    ) -> AsyncIterator[Any]:
        """Streams the server's answer. Whatever the network does becomes a ServerError."""
        headers = self._headers
        if content is not None:
            headers = {**headers, "Content-Type": "application/json"}
        timeouts: dict[str, float | None] = dict.fromkeys(("read", "write", "pool"), silent_seconds)
        timeouts["connect"] = self._connect_seconds
        connection = await self._free_connection()
        try:
            response = await connection.send(method, path, headers, content, timeouts)
            try:
                yield response
            finally:
                await response.aclose()
        except (connection_failures(), *core_failures()) as error:
            raise fault.connection_fault(self._address, error, silent_seconds) from error
        finally:
            if connection in self._open:  # Not closed meanwhile.
                self._idle.append(connection)

    async def close(self) -> None:
        """Closes all connections."""
        self._idle = []
        while self._open:
            await self._open.pop().aclose()

    async def _free_connection(self) -> DirectConnection | _ThroughProxy:
        """Returns the last that became free, so that those that are not needed any more rest."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
            self._open.discard(connection)
            await connection.aclose()
        if self._may_need_proxy:
            connection = _ThroughProxy(self._address, self._certificates)
        else:
            connection = DirectConnection(self._address, self._certificates)
        self._open.add(connection)
        return connection

    @cached_property
    def _may_need_proxy(self) -> bool:
        """Whether the system has proxies, which are for what is outside."""
        return not is_this_machine(self._address) and bool(urllib.request.getproxies())

    @cached_property
    def _certificates(self) -> ssl.SSLContext | None:
        """The system's, or those of SSL_CERT_FILE."""
        is_safe = self._address.startswith("https:")
        return ssl.create_default_context() if is_safe else None


class _ThroughProxy:
    """A client of the HTTP library with one connection. In a client with many, each request would
    look whether all of the others are still open."""

    def __init__(self, address: str, certificates: ssl.SSLContext | None):
        http = http_library()
        self._address = address
        self._client = http.AsyncClient(
            trust_env=True,
            verify=certificates or False,
            limits=http.Limits(max_connections=1, max_keepalive_connections=1),
            follow_redirects=False,
        )

    @property
    def is_usable(self) -> bool:
        """Always: it connects again by itself."""
        return True

    async def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        content: bytes | None,
        timeouts: Mapping[str, float | None],
    ) -> Any:
        """Returns the answer, its body still to be read."""
        # Not by `client.stream`, which looks for cookies, parameters and defaults to merge.
        request = http_library().Request(
            method,
            self._address + path,
            headers=headers,
            content=content,
            extensions={"timeout": timeouts},
        )
        return await self._client.send(request, stream=True)

    async def aclose(self) -> None:
        """Closes it."""
        await self._client.aclose()
