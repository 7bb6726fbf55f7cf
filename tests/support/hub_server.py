"""A hub on loopback: real HTTP with the hub's own routes, for repositories that a test makes.

It speaks `/api/models/{id}/revision/{revision}` and `/{id}/resolve/{revision}/{file}` with HEAD,
GET, Range, ETag, X-Repo-Commit, X-Linked-Size and X-Linked-ETag; large files are redirected to
another address, as they are to a content network. `Faults` says what goes wrong.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

REVISION = "5" * 40
_LARGE = (".safetensors", ".bin", ".h5", ".model")


@dataclass
class Asked:
    """One request: the method, the path, and headers with small letters."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Faults:
    """What goes wrong next; each list is used up from its beginning."""

    busy: list[tuple[int, str | None]] = field(default_factory=list)
    """Of any request: the status, and Retry-After."""
    content_busy: list[int] = field(default_factory=list)
    """Of a large file, where it is redirected to: the status."""
    cuts: list[int] = field(default_factory=list)
    """Of a large file: the connection ends after so many bytes."""
    holds: list[int] = field(default_factory=list)
    """Of a large file: after so many bytes the server waits for `HubServer.go_on`."""
    damages: set[str] = field(default_factory=set)
    """Files in which a byte is another one."""
    ignores_ranges: bool = False
    sizes: dict[str, int] = field(default_factory=dict)
    """Sizes that the listing has instead of the true ones."""
    missing: set[str] = field(default_factory=set)
    """Files that are listed and not there."""
    listing: bytes | None = None
    """What is said in place of the list of files."""


class HubServer(ThreadingHTTPServer):
    """`repositories` are files by name by id. `gated` needs `token`, `private` too."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.gated: set[str] = set()
        self.cards: dict[str, dict[str, Any]] = {}
        """By id: what the listing says beside the files."""
        self.token = "hf_right"
        self.members = {"hf_right"}
        """Tokens of those who accepted the licence."""
        self.faults = Faults()
        self.go_on = threading.Event()
        self.is_held = threading.Event()
        self.asked: list[Asked] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, hub_id: str, folder: Path, **others: bytes) -> None:
        """Serve the files of a folder, and `others`."""
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        self.repositories[hub_id] = {**files, **others}

    def sent(self, name: str) -> list[str]:
        """The Range headers with which a file's bytes were asked for, "" for the whole file."""
        return [
            asked.headers.get("range", "")
            for asked in self.asked
            if asked.method == "GET" and "/content/" in asked.path and asked.path.endswith(name)
        ]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """That an asker has gone is no failure."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @contextmanager
    def running(self) -> Iterator[HubServer]:
        thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self.go_on.set()
            self.shutdown()
            thread.join()
            self.server_close()


def checksum(name: str, content: bytes) -> str:
    """The hub's checksum: SHA-256 for large files, Git's own for small ones."""
    if name.endswith(_LARGE):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self) -> None:
        # A proxy is asked for whole addresses.
        path = unquote(urlsplit(self.path).path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append(Asked(self.command, self.path, headers))
        faults = self.server.faults
        if faults.busy:
            status, seconds = faults.busy.pop(0)
            self._say(status, b"", **({"Retry-After": seconds} if seconds is not None else {}))
        elif path.startswith("/api/models/"):
            self._list(path.removeprefix("/api/models/").partition("/revision/")[0])
        elif path.startswith("/content/"):
            owner, name, file = path.removeprefix("/content/").split("/")
            self._send_content(f"{owner}/{name}", file)
        elif "/resolve/" in path:
            hub_id, _, rest = path[1:].partition("/resolve/")
            self._resolve(hub_id, rest.partition("/")[2])
        else:
            self._say(404, b"")

    def _token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _is_refused(self, hub_id: str, is_file: bool) -> bool:
        token = self._token()
        if token and token != self.server.token and token not in self.server.members:
            self._say(
                401, b"", **{"X-Error-Message": "Invalid credentials in Authorization header"}
            )
        elif hub_id not in self.server.repositories:
            # The real hub does not tell strangers what there is.
            self._say(404 if token else 401, b"", **{"X-Error-Code": "RepoNotFound"})
        elif is_file and hub_id in self.server.gated and token not in self.server.members:
            self._say(403 if token else 401, b"", **{"X-Error-Code": "GatedRepo"})
        else:
            return False
        return True

    def _list(self, hub_id: str) -> None:
        if self._is_refused(hub_id, is_file=False):
            return
        siblings = []
        for name, content in self.server.repositories[hub_id].items():
            size = self.server.faults.sizes.get(name, len(content))
            entry = {"rfilename": name, "size": size, "blobId": checksum("", content)}
            if name.endswith(_LARGE):
                entry["lfs"] = {"sha256": checksum(name, content), "size": size}
            siblings.append(entry)
        listing = {"id": hub_id, "sha": REVISION, "siblings": siblings}
        listing |= {"gated": "auto" if hub_id in self.server.gated else False}
        listing |= self.server.cards.get(hub_id, {})
        body = self.server.faults.listing or json.dumps(listing).encode()
        self._say(200, body, **{"Content-Type": "application/json"})

    def _resolve(self, hub_id: str, name: str) -> None:
        if self._is_refused(hub_id, is_file=True):
            return
        content = self.server.repositories[hub_id].get(name)
        if content is None or name in self.server.faults.missing:
            self._say(404, b"", **{"X-Error-Code": "EntryNotFound"})
            return
        etag = checksum(name, content)
        headers = {"X-Repo-Commit": REVISION, "ETag": f'"{etag}"'}
        if name.endswith(_LARGE):
            headers |= {"X-Linked-Size": str(len(content)), "X-Linked-ETag": f'"{etag}"'}
            # Another host name, so that a token must not go there.
            headers["Location"] = (
                f"http://localhost:{self.server.server_port}/content/{hub_id}/{name}"
            )
            self._say(302, b"", **headers)
        else:
            self._say(200, content, **headers)

    def _send_content(self, hub_id: str, name: str) -> None:
        content, faults = self.server.repositories[hub_id][name], self.server.faults
        if faults.content_busy:
            self._say(faults.content_busy.pop(0), b"")
            return
        if name in faults.damages:
            content = bytes([content[0] ^ 1]) + content[1:]
        begin, status, headers = 0, 200, {}
        first, _, last = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
        end = len(content)
        if first and not faults.ignores_ranges:
            begin, status = int(first), 206
            end = min(end, int(last) + 1) if last else end
            headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(content)}"
        rest = content[begin:end]
        if self.command == "GET" and (faults.cuts or faults.holds):
            is_cut = bool(faults.cuts)
            count = (faults.cuts or faults.holds).pop(0)
            self._begin(status, len(rest), headers)
            self.wfile.write(rest[:count])
            self.wfile.flush()
            if not is_cut:
                self.server.is_held.set()
                self.server.go_on.wait(20)
                try:
                    self.wfile.write(rest[count:])
                    return
                except OSError:
                    pass  # The asker has gone.
            self.close_connection = True
        else:
            self._say(status, rest, **headers)

    def _begin(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _say(self, status: int, body: bytes, **headers: str) -> None:
        self._begin(status, len(body), headers)
        if self.command == "GET":
            self.wfile.write(body)
