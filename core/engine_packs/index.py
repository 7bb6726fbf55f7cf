"""Pages of package indexes: the Simple API in HTML (PEP 503) and in JSON (PEP 691)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

ACCEPT = (
    "application/vnd.pypi.simple.v1+json, "
    "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)


@dataclass(frozen=True)
class IndexFile:
    """A file that an index lists. `sha256` is "" and `size` 0 where it does not say.

    `has_metadata` means that the wheel's metadata is at the same address with .metadata.
    """

    filename: str
    address: str
    sha256: str = ""
    size: int = 0
    has_metadata: bool = False


def normalized(project: str) -> str:
    """The name as indexes write it in addresses."""
    return re.sub(r"[-_.]+", "-", project).lower()


def files_on_page(body: bytes, content_type: str, address: str) -> dict[str, IndexFile]:
    """The files of a project's page by name. Raises ValueError for what is no such page."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind.endswith("json"):
        return _files_in_json(body, address)
    if kind and not kind.endswith("html") and not kind.startswith("text/"):
        raise ValueError(f"{kind} is not a page of an index")
    page = _Page()
    page.feed(body.decode("utf-8", "replace"))
    return _by_name(_file_of_link(link, urljoin(address, page.base)) for link in page.links)


def _by_name(files: Any) -> dict[str, IndexFile]:
    return {file.filename: file for file in files if file.filename}


def _files_in_json(body: bytes, address: str) -> dict[str, IndexFile]:
    try:
        entries = json.loads(body)["files"]
        return _by_name(
            IndexFile(
                str(entry["filename"]),
                urljoin(address, str(entry["url"])),
                str(entry.get("hashes", {}).get("sha256", "")).lower(),
                int(entry.get("size") or 0),
                bool(entry.get("core-metadata") or entry.get("data-dist-info-metadata")),
            )
            for entry in entries
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no page of an index: {error!r}") from error


def _file_of_link(attributes: dict[str, str | None], base: str) -> IndexFile:
    address, fragment = urldefrag(urljoin(base, attributes.get("href") or ""))
    name = unquote(urlsplit(address).path).rpartition("/")[2]
    algorithm, _, digest = fragment.partition("=")
    metadata = attributes.get("data-core-metadata") or attributes.get("data-dist-info-metadata")
    return IndexFile(
        name,
        address,
        digest.lower() if algorithm == "sha256" else "",
        has_metadata=metadata not in (None, "", "false"),
    )


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[dict[str, str | None]] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes)
        elif tag == "base" and not self.base:
            self.base = attributes.get("href") or ""
