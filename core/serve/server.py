"""Binds an address, loads the model, and serves until it is closed."""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette

from core.engine import EngineFacts
from core.errors import ServeError
from core.message import translatable
from core.serve.application import Rules, make_application
from core.serve.engine_thread import EngineThread, OpenEngine

HOST, PORT = "127.0.0.1", 8000
QUEUE = 64
_MOST_BYTES = 50_000_000
_START_SECONDS = 30.0
_END_SECONDS = 5.0
# Idle connections take no place of the queue.
_MOST_CONNECTIONS = 1_000


@dataclass(frozen=True)
class ServeOptions:
    """How to serve. `model` is the name that clients ask for; port 0 is any free one.

    `slots` None leaves the number of answers at once to the engine; `queue` requests wait besides.
    An empty `key` lets everybody ask.
    """

    model: str
    host: str = HOST
    port: int = PORT
    slots: int | None = None
    queue: int = QUEUE
    key: str = ""
    most_bytes: int = _MOST_BYTES


@dataclass(frozen=True)
class Serving:
    """A server that answers. `address` is what clients are given, without a slash at its end."""

    address: str
    facts: EngineFacts
    has_ended: Callable[[], bool]
    """Whether the web server has ended by itself."""


@contextmanager
def serving(options: ServeOptions, open_engine: OpenEngine) -> Generator[Serving]:
    """Serves within the block. Loads the model first, which blocks, in a thread of its own.

    Raises ServeError, and what loading the model raises. At the end of the block the answers under
    way are ended.
    """
    is_local = _is_loopback(options.host)
    if not (is_local or options.key):
        raise ServeError(
            translatable(
                "core",
                "{host} can be reached from other computers, so clients need a key. Set the "
                "variable ONLOOKER_SERVE_KEY, or keep a key with “onlooker serve --set-key”.",
            ).format(host=options.host)
        )
    engine_thread = EngineThread(open_engine, slots=options.slots, places=options.queue)
    with _bound(options) as bound:
        try:
            facts = engine_thread.open()
            rules = Rules(options.key, is_local, options.most_bytes)
            server = _web_server(make_application(engine_thread, facts, options.model, rules))
            thread = threading.Thread(
                target=server.run, args=([bound],), name="web server", daemon=True
            )
            thread.start()
            try:
                server.wait_until_ready()
                yield Serving(_address_of(bound), facts, lambda: not thread.is_alive())
            finally:
                server.should_exit = True
                engine_thread.close()
                thread.join(_END_SECONDS)
        finally:
            engine_thread.close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@contextmanager
def _bound(options: ServeOptions) -> Generator[socket.socket]:
    """A socket that has the address, which nobody can connect to before the server listens."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot_bind(options, error) from error
    with bound:
        try:
            if os.name == "posix":
                # Else the port of a server that has just ended would be taken for a minute.
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError as error:
            raise _cannot_bind(options, error) from error
        yield bound


def _cannot_bind(options: ServeOptions, error: OSError) -> ServeError:
    return ServeError(
        translatable(
            "core",
            "{host} port {port} cannot be used ({reason}). Choose others with --host and --port.",
        ).format(host=options.host, port=options.port, reason=error.strerror or error)
    )


def _address_of(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _WebServer(uvicorn.Server):
    """Says when it accepts connections; `ready` is also set once there will be none."""

    def __init__(self, config: uvicorn.Config):
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn."""
        await super().startup(sockets)
        self.ready.set()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves until `should_exit` is set."""
        try:
            super().run(sockets)
        finally:
            self.ready.set()

    def wait_until_ready(self) -> None:
        """Raises ServeError if it does not start."""
        self.ready.wait(_START_SECONDS)
        if not self.started:
            raise ServeError(
                translatable("core", "The web server did not start. See the log, then try again.")
            )


def _web_server(application: Starlette) -> _WebServer:
    return _WebServer(
        uvicorn.Config(
            application,
            http="h11",
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=1,
        )
    )
