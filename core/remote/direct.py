"""A connection straight to a server, by the library below the HTTP library's client.

The client looks for proxies, cookies, redirects and a free connection in its pool with every
request, which for small images takes longer than sending them.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from core.remote.streams import Streams
from core.transfer.network import http_library

# Servers close connections that rest: uvicorn after 5 seconds.
_KEPT_SECONDS = 4.0


@cache
def core_library() -> Any:
    """Returns the module httpcore or httpcore2, whichever the HTTP library is made of."""
    return import_module(http_library().__name__.replace("httpx", "httpcore"))


@cache
def core_failures() -> tuple[type[Exception], ...]:
    """Returns what it raises when the network fails; the names are those of the HTTP library's."""
    core = core_library()
    kinds = (core.NetworkError, core.TimeoutException, core.ProtocolError)
    return (*kinds, core.UnsupportedProtocol)


class DirectConnection:
    """One connection, for one request at a time. Belongs to one event loop."""

    def __init__(self, address: str, certificates: ssl.SSLContext | None):
        """`address` is a scheme, a host and a path; `certificates` are for https."""
        core, url = core_library(), http_library().URL(address)
        parsed = core.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/")
        self._host, self._path = url.netloc, url.raw_path.rstrip(b"/")
        self._connection = core.AsyncHTTPConnection(
            parsed.origin,
            ssl_context=certificates,
            keepalive_expiry=_KEPT_SECONDS,
            network_backend=Streams(core),
        )
        self._urls: dict[str, Any] = {}
        self._parsed = parsed

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent: the server has not hung up."""
        connection = self._connection
        return not (connection.is_closed() or connection.has_expired())

    async def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        content: bytes | None,
        timeouts: Mapping[str, float | None],
    ) -> Any:
        """Returns the answer as the HTTP library would, its body still to be read."""
        sent = [(b"Host", self._host)]
        sent += [(name.encode(), value.encode()) for name, value in headers.items()]
        if content is not None:
            sent.append((b"Content-Length", b"%d" % len(content)))
        request = core_library().Request(
            method, self._url(path), headers=sent, content=content, extensions={"timeout": timeouts}
        )
        answer = _Answer(await self._connection.handle_async_request(request))
        return answer.unpacked() if "content-encoding" in answer.headers else answer

    async def aclose(self) -> None:
        """Closes it."""
        await self._connection.aclose()

    def _url(self, path: str) -> Any:
        if path not in self._urls:
            base = self._parsed
            self._urls[path] = core_library().URL(
                scheme=base.scheme,
                host=base.host,
                port=base.port,
                target=self._path + path.encode(),
            )
        return self._urls[path]


class _Answer:
    """An answer with what is used of the HTTP library's."""

    def __init__(self, response: Any):
        self._response = response
        self.status_code: int = response.status
        self.headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in response.headers
        }

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        async for block in self._response.stream:
            yield block

    async def aclose(self) -> None:
        await self._response.aclose()

    def unpacked(self) -> Any:
        """Returns the HTTP library's own, for a server that packs what was to be sent plain."""
        http, response = http_library(), self._response

        class Stream(http.AsyncByteStream):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                async for block in response.stream:
                    yield block

            async def aclose(self) -> None:
                await response.aclose()

        return http.Response(self.status_code, headers=response.headers, stream=Stream())
