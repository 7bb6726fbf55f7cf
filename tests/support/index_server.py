"""A package index on loopback: the Simple API in HTML or JSON, and files with ranges.

`/simple/<project>/` lists `files`, which are at `/files/<name>`, and `/simple/<path>/<project>/`
those of `others`. `Faults` makes requests fail.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import quote, unquote, urlsplit

from tests.support.loopback import LoopbackServer


@dataclass
class Faults:
    """What goes wrong. Each list is a queue: a request of a file takes its first item."""

    busy: list[int] = field(default_factory=list)
    """Statuses of answers to any request."""
    cuts: list[int] = field(default_factory=list)
    """Closes the connection after so many bytes."""
    holds: list[int] = field(default_factory=list)
    """Waits for `go_on` after so many bytes."""
    damages: set[str] = field(default_factory=set)
    """Names of files that are sent with one wrong byte."""
    missing: set[str] = field(default_factory=set)
    """Names of files that are listed but are not there."""
    unlisted: set[str] = field(default_factory=set)
    """Names of files that no page lists."""
    ignores_ranges: bool = False
    page: tuple[str, bytes] | None = None
    """The type and content of what is sent in place of each page."""


class IndexServer(LoopbackServer):
    """The index. `asked` has the path and the headers of all requests, in lower case.

    `password` is "user:password" in base64 if it is needed. `redirects` sends files from elsewhere.
    """

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        super().__init__(_Handler)
        self.files = dict(files or {})
        self.is_json = False
        self.prefix = "/simple/"
        # More indexes: the names of their files by their path, "whl/cu126".
        self.others: dict[str, set[str]] = {}
        self.lists_checksums = True
        self.redirects = False
        self.password = ""
        self.faults = Faults()
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/simple"

    def ranges(self, name: str) -> list[str]:
        """The Range headers of requests for a file, "" for the whole file."""
        return [headers.get("range", "") for path, headers in self.asked if path.endswith(name)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: IndexServer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((path, headers))
        faults, others = self.server.faults, self.server.others
        if self.server.password and headers.get("authorization") != f"Basic {self.server.password}":
            self._send(401)
        elif faults.busy:
            self._send(faults.busy.pop(0), b"", **{"Retry-After": "0"})
        elif match := re.fullmatch(rf"{self.server.prefix}([a-z0-9-]+)/", path):
            self._send_page(match[1], set(self.server.files) - set().union(*others.values()))
        elif (match := re.fullmatch(r"/simple/(.+)/([a-z0-9-]+)/", path)) and match[1] in others:
            self._send_page(match[2], others[match[1]])
        elif match := re.fullmatch(r"/(files|elsewhere)/([^/]+)", path):
            self._send_file(match[1], match[2], headers.get("range", ""))
        else:
            self._send(404)

    def _send_page(self, project: str, listed: set[str]) -> None:
        server = self.server
        if server.faults.page:
            kind, body = server.faults.page
            self._send(200, body, **{"Content-Type": kind})
            return
        names = [
            name
            for name in server.files
            if name in listed
            and re.sub(r"[-_.]+", "-", name.partition("-")[0]).lower() == project
            and name not in server.faults.unlisted
        ]
        if not names:
            self._send(404)
        elif server.is_json:
            files = [
                {
                    "filename": name,
                    "url": f"/files/{quote(name)}",
                    "hashes": {"sha256": _sha256(server.files[name])},
                    "size": len(server.files[name]),
                }
                for name in names
            ]
            body = json.dumps({"meta": {"api-version": "1.1"}, "name": project, "files": files})
            kind = "application/vnd.pypi.simple.v1+json"
            self._send(200, body.encode(), **{"Content-Type": kind})
        else:
            marks = dict.fromkeys(names, "")
            if server.lists_checksums:
                marks = {name: f"#sha256={_sha256(server.files[name])}" for name in names}
            links = "\n".join(
                f'<a href="/files/{quote(name)}{mark}">{name}</a><br>'
                for name, mark in marks.items()
            )
            body = f"<!DOCTYPE html><html><body>\n{links}\n</body></html>"
            self._send(200, body.encode(), **{"Content-Type": "text/html"})

    def _send_file(self, place: str, name: str, wanted: str) -> None:
        server, faults = self.server, self.server.faults
        if server.redirects and place == "files":
            self._send(302, Location=f"/elsewhere/{name}")
            return
        content = server.files.get(name)
        if content is None or name in faults.missing:
            self._send(404)
            return
        if name in faults.damages:
            content = content[:-1] + bytes([content[-1] ^ 1])
        first = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
        if faults.ignores_ranges:
            first, wanted = 0, ""
        if first >= len(content):
            self._send(416)
            return
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        rest = content[first:]
        if faults.cuts:
            self.wfile.write(rest[: faults.cuts.pop(0)])
            self.close_connection = True
        elif faults.holds:
            count = faults.holds.pop(0)
            self.wfile.write(rest[:count])
            server.is_held.set()
            server.go_on.wait()
            self.wfile.write(rest[count:])
        else:
            self.wfile.write(rest)

    def _send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
