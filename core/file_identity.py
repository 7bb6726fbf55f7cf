"""How a file is recognised again: by its content, wherever it is; and whether it is gone from where
it was, or only out of reach.

The fingerprint is the size and a hash of all content. An image that was moved or renamed is found
again by it, and equal images have the same. Whether the original has been moved or this is a copy
of it is known only while the disk of the original is connected.
"""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from unicodedata import normalize

from core.files import is_folder, open_regular, why_away

_CHUNK = 2**20
# Each share that GNOME connects is a folder in one mount.
_SHARES = "gvfs"
# In these, or in a user's folder there, each disk has a folder.
_PLACES_OF_DISKS = {Path(place) for place in ("/media", "/run/media", "/mnt", "/Volumes")}


@dataclass(frozen=True)
class FileIdentity:
    """What a file is recognised by, and the `volume` that it is on (see `volume_of`)."""

    fingerprint: str
    volume: bytes = b""


def identity_of(path: Path) -> FileIdentity | None:
    """Returns what a file is recognised by; None if it cannot be read."""
    try:
        fingerprint = fingerprint_of(path)
    except OSError:
        return None
    return FileIdentity(fingerprint, volume_of(os.fspath(path))) if fingerprint else None


def fingerprint_of(path: Path, stop: Event | None = None) -> str | None:
    """Returns the fingerprint of a file: short text without blanks. None if `stop` was set before
    all was read. Raises OSError, also for what is no regular file. Lets other threads run."""
    digest = hashlib.blake2b(digest_size=16)
    size = 0
    with open_regular(path) as file:
        while chunk := file.read(_CHUNK):
            if stop is not None and stop.is_set():
                return None
            digest.update(chunk)
            size += len(chunk)
    return f"{size:x}-{digest.hexdigest()}"


def has_content(path: str, fingerprint: str) -> bool:
    """Returns whether there is a file with this content. Reads it whole only if it has as many
    bytes."""
    try:
        is_as_large = os.stat(path).st_size == int(fingerprint.partition("-")[0], 16)  # noqa: PTH116
        return is_as_large and fingerprint_of(Path(path)) == fingerprint
    except (OSError, ValueError):
        return False


def volume_of(path: str) -> bytes:
    """Returns what identifies the disk, network share or other volume that a file is on, to be kept
    for `is_gone`: what the system calls it, and where it is mounted. b"" if there is no file."""
    try:
        os.lstat(path)
        # A link may lead to another disk.
        root = _root_of(os.path.realpath(os.path.dirname(path) or "."))  # noqa: PTH120
        return os.fsencode(f"{_mark_of(root)} {root}")
    except OSError:
        return b""


def is_gone(path: str, volume: bytes) -> bool:
    """Returns whether a file that was on this volume is known to be no longer there: not while its
    disk is not connected, or its folder may not be looked into. Of an unknown volume, b"", an empty
    folder, or one in which disks are mounted, may be the place of such a disk."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        mark, _, root = os.fsdecode(volume).partition(" ")
        if not root:
            return not _may_be_on_another_disk(path)
        try:
            return _mark_of(root) == mark
        except OSError:
            return False
    except (OSError, ValueError):
        pass
    return False


def is_respelled(old: str, new: str) -> bool:
    """Returns whether two paths name one file whose name is spelled otherwise, as where upper and
    lower case are the same to a disk."""
    if normalize("NFC", old).casefold() != normalize("NFC", new).casefold():
        return False
    try:
        return os.path.samefile(old, new)  # noqa: PTH121
    except (OSError, ValueError):
        return False


def _may_be_on_another_disk(path: str) -> bool:
    """Returns whether a file that is not there may be on a disk that is not connected."""
    folder = Path(path).parent
    while not is_folder(folder):
        if folder.parent == folder:  # A drive of Windows.
            return True
        folder = folder.parent
    return not _PLACES_OF_DISKS.isdisjoint((folder, folder.parent)) or bool(why_away(folder))


def _root_of(folder: str) -> str:
    """Returns the folder in which the volume of a folder is mounted; on Windows also a drive."""
    while not os.path.ismount(folder):
        parent, name = os.path.split(folder)
        if not name or os.path.basename(parent) == _SHARES:  # noqa: PTH119
            break
        folder = parent
    return folder


def _mark_of(root: str) -> str:
    """Returns text without blanks that another volume at the same place does not have, as far as
    the system knows: memory cards often have one name. Raises OSError if there is none."""
    device = os.stat(root).st_dev  # noqa: PTH116
    if sys.platform == "win32":
        return f"{device:x}"  # The serial number of the volume.
    if not os.path.ismount(root):
        return "folder"
    with suppress(OSError), os.scandir("/dev/disk/by-uuid") as links:
        for link in links:
            with suppress(OSError):
                if link.stat().st_rdev == device:
                    return link.name
    return "mounted"
