"""An HTTP server on loopback with the hub's routes, for repositories that a test makes.

It serves `/api/models/{id}/revision/{revision}` and `/{id}/resolve/{revision}/{file}` with HEAD,
GET, Range, ETag, X-Repo-Commit, X-Linked-Size and X-Linked-ETag. Large files are redirected to
another host, as the hub redirects to its content network. `Faults` makes requests fail.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from core.transfer.meter import Progress
from tests.support.loopback import LoopbackServer

REVISION = "5" * 40
_LARGE = (".safetensors", ".bin", ".h5", ".model")


@dataclass
class Asked:
    """A request that the server received; names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Faults:
    """What goes wrong. Each list is a queue: a request that fails takes its first item."""

    busy: list[tuple[int, str | None]] = field(default_factory=list)
    """Answers to any requests: status, and Retry-After or None."""
    content_busy: list[int] = field(default_factory=list)
    """Statuses for requests of large files, after the redirect."""
    cuts: list[int] = field(default_factory=list)
    """Large files: closes the connection after so many bytes."""
    holds: list[int] = field(default_factory=list)
    """Large files: waits for `HubServer.go_on` after so many bytes."""
    damages: set[str] = field(default_factory=set)
    """Names of files that are sent with one wrong byte."""
    ignores_ranges: bool = False
    sizes: dict[str, int] = field(default_factory=dict)
    """Wrong sizes in the listing, by file name."""
    missing: set[str] = field(default_factory=set)
    """Names of files that are listed but cannot be downloaded."""
    listing: bytes | None = None
    """A body to send in place of the listing."""


class HubServer(LoopbackServer):
    """The hub. `repositories` maps hub ids to files by name; `gated` ones are for `members` alone.

    `asked` has all requests. `is_held` is set once a download waits for `go_on`.
    """

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.gated: set[str] = set()
        self.cards: dict[str, dict[str, Any]] = {}
        """More fields of the listing, by hub id."""
        self.token = "hf_right"
        self.members = {"hf_right"}
        """Tokens of users who accepted the licences of gated repositories."""
        self.faults = Faults()
        self.asked: list[Asked] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, hub_id: str, folder: Path, **others: bytes) -> None:
        """Serve the files of `folder` and `others` as the repository `hub_id`."""
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        self.repositories[hub_id] = {**files, **others}

    def is_half_way(self, hub_id: str, count: int) -> Callable[[Progress], bool]:
        """Returns whether a download has come to where the server holds it, after `count` bytes of
        the first large file: these have been received, and all small files.

        `is_held` says only that they were sent: who stops then may have nothing to resume.
        """
        files = self.repositories[hub_id].items()
        small = sum(len(content) for name, content in files if not name.endswith(_LARGE))
        return lambda progress: progress.done >= small + count

    def sent(self, name: str) -> list[str]:
        """Returns the Range headers of requests for a large file, "" for the whole file."""
        return [
            asked.headers.get("range", "")
            for asked in self.asked
            if asked.method == "GET" and "/content/" in asked.path and asked.path.endswith(name)
        ]


def checksum(name: str, content: bytes) -> str:
    """Returns the hub's checksum: SHA-256 of large files, Git's blob hash of small ones."""
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
        # A client with a proxy requests the full address.
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
            # The hub does not reveal to anonymous clients whether a private repository exists.
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
            # Another host name, to which clients must not send the token.
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
                    pass  # The client closed the connection.
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
