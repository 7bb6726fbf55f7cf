"""Connections to a server: straight to it, through a proxy, packed, and closed by the server."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from core.remote.connections import Connections
from core.remote.server import Server

LISTED = json.dumps({"data": [{"id": "one"}]}).encode()


class Web(ThreadingHTTPServer):
    """Lists a model, and remembers what it was asked for."""

    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), Handler)
        self.asked: list[str] = []
        self.packs = self.hangs_up = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class WebOnIpv6(Web):
    address_family = socket.AF_INET6


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Web)
        server.asked.append(self.path)
        body = gzip.compress(LISTED) if server.packs else LISTED
        self.send_response(200)
        if server.packs:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        # Without saying so: the client finds out when it asks again.
        self.close_connection = server.hangs_up

    def log_message(self, *_: object) -> None:
        """It says nothing."""


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def listed(address: str, times: int = 1) -> list[list[str]]:
    async def ask() -> list[list[str]]:
        server = Server(address, "one")
        found = []
        for _ in range(times):
            found.append(await server.models())
            await asyncio.sleep(0.05)  # For the end of the connection, if there is one, to arrive.
        await server.close()
        return found

    return asyncio.run(ask())


def test_server_elsewhere_is_asked_through_the_proxy_of_the_system(web, monkeypatch):
    monkeypatch.setenv("http_proxy", web.address)
    assert listed("http://far.example:8000/base") == [["one"]]
    assert web.asked == ["http://far.example:8000/base/v1/models"]


def test_server_on_this_machine_is_asked_without_the_proxy(web, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert listed(f"{web.address}/base") == [["one"]]
    assert web.asked == ["/base/v1/models"]


def test_packed_answer_is_read_though_a_plain_one_was_asked_for(web):
    web.packs = True
    assert listed(web.address) == [["one"]]


def test_server_may_have_an_ipv6_address():
    try:
        server = WebOnIpv6("::1")
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    threading.Thread(target=server.serve_forever).start()
    try:
        assert listed(f"http://[::1]:{server.server_port}") == [["one"]]
    finally:
        server.shutdown()
        server.server_close()


def test_server_may_hang_up_between_requests(web):
    web.hangs_up = True
    assert listed(web.address, times=3) == [["one"]] * 3


def test_server_may_answer_before_it_has_read_a_large_request():
    async def ask() -> int:
        answered = asyncio.Event()

        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            await answered.wait()
            writer.close()

        web = await asyncio.start_server(refuse, "127.0.0.1", 0)
        port = web.sockets[0].getsockname()[1]
        connections = Connections(f"http://127.0.0.1:{port}", "", 10)
        async with connections.answer("POST", "/", b" " * 30_000_000, 10) as response:
            status = response.status_code
        answered.set()
        await connections.close()
        web.close()
        return status

    assert asyncio.run(ask()) == 413
