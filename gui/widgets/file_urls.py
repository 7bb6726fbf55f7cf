"""Files as URLs and back, as drags, clipboards and file managers have them.

Names that are not UTF-8 survive: a URL holds the bytes of a name, and Qt's own conversion decodes
them. Source: RFC 8089 and the XDND protocol, both of which allow the name of this host.
"""

from __future__ import annotations

import os
import socket
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote_to_bytes

from PySide6.QtCore import QUrl


def path_of(url: QUrl) -> Path | None:
    """Returns the file on this computer that `url` names; None if it names none."""
    if url.scheme() != "file":
        return None
    host = url.host().lower()
    own = _own_names()
    # Where this computer's name has no domain, a file manager may add one.
    is_here = host in {"", "localhost", *own} or own == {host.partition(".")[0]}
    if sys.platform == "win32":
        if is_here:
            url = QUrl(url)
            url.setHost("")
        return Path(url.toLocalFile())  # Other hosts are network shares.
    if not is_here:
        return None
    encoded = url.path(QUrl.ComponentFormattingOption.FullyEncoded)
    name = unquote_to_bytes(encoded)
    return None if b"\0" in name else Path(os.fsdecode(name))  # No file's name has that byte.


def url_of(path: Path) -> QUrl:
    """Returns the URL of a file or folder."""
    return QUrl.fromEncoded(path.absolute().as_uri().encode("ascii"))


@cache
def _own_names() -> frozenset[str]:
    """Returns the names of this computer, in small letters; asks no name server."""
    name = socket.gethostname().lower()
    return frozenset({name, name.partition(".")[0]} - {""})
