"""Where wheels come from, as pip's environment variables and configuration files say.

Read are index-url, extra-index-url, find-links, no-index, proxy, cert, trusted-host and timeout, as
PIP_… variables and in pip's files, in pip's order. The credentials in an index's address are used
for its files, and never shown.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit, urlunsplit
from urllib.request import url2pathname

_SECTIONS = ("global", "install", "download")
_TRUE = {"1", "yes", "true", "on", "y", "t"}
_STALL_SECONDS = 20.0


@dataclass(frozen=True)
class Sources:
    """Package indexes in the order in which they are asked, and folders or pages of wheels.

    `is_offline` means that only `find_links` are looked at. `has_own_index` means that the user
    named an index in place of the public one. `cert` is a file of certificates, "" for the
    system's.
    """

    indexes: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    is_offline: bool = False
    has_own_index: bool = False
    proxy: str = field(default="", repr=False)
    cert: str = ""
    trusted_hosts: frozenset[str] = frozenset()
    timeout: float = _STALL_SECONDS


def sources_here(default_index: str, environment: Mapping[str, str] | None = None) -> Sources:
    """The sources of this user; `default_index` is asked where pip names no other.

    A file of pip's that cannot be read is passed over, as a missing one is.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, str] = {}
    for path in _configuration_files(environment):
        values |= _read(path)
    for name, value in environment.items():
        if name.startswith("PIP_") and value:
            values[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    own_index = values.get("index-url", "").strip()
    bundle = environment.get("REQUESTS_CA_BUNDLE") or environment.get("CURL_CA_BUNDLE") or ""
    return Sources(
        indexes=tuple(
            dict.fromkeys([own_index or default_index, *values.get("extra-index-url", "").split()])
        ),
        find_links=tuple(values.get("find-links", "").split()),
        is_offline=values.get("no-index", "").strip().lower() in _TRUE,
        has_own_index=bool(own_index),
        proxy=values.get("proxy", "").strip(),
        cert=values.get("cert", "").strip() or bundle,
        trusted_hosts=frozenset(values.get("trusted-host", "").split()),
        timeout=_seconds(values.get("timeout", "")),
    )


def _configuration_files(environment: Mapping[str, str]) -> list[Path]:
    """pip's files for all users, then this user's, then that of PIP_CONFIG_FILE."""
    named = environment.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or "/nowhere")
    if sys.platform == "win32":
        found = [
            Path(environment.get("PROGRAMDATA", "C:\\ProgramData"), "pip", "pip.ini"),
            home / "pip" / "pip.ini",
            Path(environment.get("APPDATA", home), "pip", "pip.ini"),
        ]
    else:
        shared = environment.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        folders = [Path(folder, "pip") for folder in shared.split(os.pathsep)]
        if sys.platform == "darwin":
            folders = [Path("/Library/Application Support/pip")]
        own = Path(environment.get("XDG_CONFIG_HOME") or home / ".config", "pip")
        support = home / "Library" / "Application Support" / "pip"
        if sys.platform == "darwin" and support.is_dir():
            own = support
        found = [folder / "pip.conf" for folder in folders]
        found += [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", own / "pip.conf"]
    return [*found, Path(named)] if named else found


def _read(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return {}
    values: dict[str, str] = {}
    for section in _SECTIONS:
        if parser.has_section(section):
            # An underscore is as good as a hyphen there.
            values |= {name.replace("_", "-"): value for name, value in parser.items(section)}
    return values


def _seconds(text: str) -> float:
    """pip's own default is 15 s; no more than a minute, so that a lost connection is noticed."""
    try:
        return min(max(float(text), 1.0), 60.0)
    except ValueError:
        return _STALL_SECONDS


def project_page(index: str, project: str) -> str:
    """The address of a project in an index."""
    return f"{index.rstrip('/')}/{project}/"


def folder_of(address: str) -> Path | None:
    """The local path that an entry names by itself or as a file: address; None for others."""
    parts = _split(address)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    # A letter before the colon is a drive of Windows.
    return Path(address) if len(parts.scheme) < 2 else None


def with_credentials(address: str, index: str) -> str:
    """`address` with the credentials of the index, if it is of the same host and has none."""
    parts, source = _split(address), _split(index)
    credentials = source.netloc.rpartition("@")[0]
    if credentials and parts.netloc == source.netloc.rpartition("@")[2]:
        return urlunsplit(parts._replace(netloc=f"{credentials}@{parts.netloc}"))
    return address


def host_of(address: str) -> str:
    """What is shown of an address: its host, or the folder."""
    return _split(address).hostname or str(folder_of(address) or address)


def _split(address: str) -> SplitResult:
    """The parts of an address; that of a broken one has a scheme that nobody knows."""
    try:
        return urlsplit(address)
    except ValueError:
        return SplitResult("broken", "", address, "", "")
