"""Connections to one server. Each has a client of the HTTP library to itself.

In a client with many connections each request would look whether all of the others are still open,
which took a sixth of the time.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Any

from core.remote import fault
from core.remote.address import is_this_machine
from core.transfer.network import connection_failures, http_library


class Connections:
    """Belongs to one event loop. `key` is sent to this address and nowhere else."""

    def __init__(self, address: str, key: str, connect_seconds: float):
        self._address, self._connect_seconds = address, connect_seconds
        self._headers = {"User-Agent": "onlooker", "Accept-Encoding": "identity"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._idle: list[Any] = []
        self._clients: set[Any] = set()
        self._urls: dict[str, Any] = {}

    @asynccontextmanager
    async def answer(
        self, method: str, path: str, content: bytes | None, silent_seconds: float
    ) -> AsyncIterator[Any]:
        """Streams the server's answer. Whatever the network does becomes a ServerError."""
        failures, http = connection_failures(), http_library()
        headers = self._headers
        if content is not None:
            headers = {**headers, "Content-Type": "application/json"}
        timeout = http.Timeout(silent_seconds, connect=self._connect_seconds)
        # The last that became free, so that those that are not needed any more are closed.
        client = self._idle.pop() if self._idle else self._new_client()
        try:
            # Not by `client.stream`, which looks for cookies, parameters and defaults to merge.
            request = http.Request(
                method,
                self._url(path),
                headers=headers,
                content=content,
                extensions={"timeout": timeout.as_dict()},
            )
            response = await client.send(request, stream=True)
            try:
                yield response
            finally:
                await response.aclose()
        except failures as error:
            raise fault.connection_fault(self._address, error, silent_seconds) from error
        finally:
            if client in self._clients:  # Not closed meanwhile.
                self._idle.append(client)

    async def close(self) -> None:
        """Closes all connections."""
        self._idle = []
        while self._clients:
            await self._clients.pop().aclose()

    def _url(self, path: str) -> Any:
        if path not in self._urls:
            self._urls[path] = http_library().URL(self._address + path)
        return self._urls[path]

    def _new_client(self) -> Any:
        http = http_library()
        client = http.AsyncClient(
            # A proxy is for what is outside.
            trust_env=not is_this_machine(self._address),
            # The system's certificates, or those of SSL_CERT_FILE.
            verify=self._certificates if self._address.startswith("https:") else False,
            limits=http.Limits(max_connections=1, max_keepalive_connections=1),
            follow_redirects=False,
        )
        self._clients.add(client)
        return client

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        return ssl.create_default_context()
