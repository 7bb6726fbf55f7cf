"""The caption beside its picture: its name, its reading, and its writing in one step.

Every function may be called from any thread. The picture's own file is never opened here.
"""

from __future__ import annotations

import codecs
import errno
import hashlib
import os
import re
from enum import StrEnum
from pathlib import Path

from core.errors import StoreError

TEXT_PATTERN = "{stem}.txt"
CAPTION_PATTERN = "{stem}.caption"

# The last is a limit on the size of a file, which fills up in the same way.
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}


class DiskFull(StoreError):
    """No room for the file; unlike a folder without permission it stops a whole run."""


class Existing(StrEnum):
    """What becomes of a caption that is there already."""

    SKIP = "skip"
    REPLACE = "replace"
    APPEND = "append"
    PREPEND = "prepend"
    STALE = "stale"
    """Replace only what an earlier run made with another prompt, model or sampling."""


def text_path(picture: Path, pattern: str = TEXT_PATTERN) -> Path:
    """Where the caption of `picture` is. In `pattern` `{stem}` is the file's name without its
    last suffix and `{name}` with it. Raises ValueError for a pattern that is no file's name,
    or that would be the picture's own."""
    name = pattern.replace("{stem}", picture.stem).replace("{name}", picture.name)
    is_one_name = not re.search(r'[/\\:*?"<>|\0]', pattern) and name not in ("", ".", "..")
    if not is_one_name or not re.search(r"\{(stem|name)\}", pattern) or name == picture.name:
        raise ValueError(f"“{pattern}” is no name for captions; take for example {TEXT_PATTERN}.")
    return picture.with_name(name)


def xmp_path(picture: Path) -> Path:
    """darktable and digiKam name it after the whole file, Adobe after the stem; one that is
    there is taken."""
    by_name = picture.with_name(f"{picture.name}.xmp")
    try:
        is_there = by_name.exists()
    except OSError:  # With the suffix the name may be too long.
        is_there = False
    return by_name if is_there else picture.with_name(f"{picture.stem}.xmp")


def read_bytes(path: Path) -> bytes | None:
    """What the file holds; None when there is none. Raises StoreError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(
            f"“{path.name}” cannot be read ({reason(error)}). Allow reading it, or move it away."
        ) from error


def decoded(data: bytes | None) -> str:
    """The caption in a text file of any usual encoding, without blanks around it."""
    if not data:
        return ""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", "replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            # What Windows wrote before UTF-8. Its five empty places become question marks.
            text = data.decode("cp1252", "replace")
    return "\n".join(text.splitlines()).strip()


def encoded(caption: str) -> bytes:
    """UTF-8, and a line's end at the end, as text tools expect it."""
    return f"{caption}\n".encode("utf-8", "replace")


def combined(before: str, caption: str, existing: Existing) -> str:
    """The caption that takes the place of `before`."""
    match existing:
        case Existing.APPEND if before:
            return f"{before}\n{caption}"
        case Existing.PREPEND if before:
            return f"{caption}\n{before}"
    return caption


def fingerprint(data: bytes | None) -> str:
    """Tells whether a file is still what was written; "" for no file."""
    return "" if data is None else hashlib.sha256(data).hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """After this returns the file is on the disk; after a crash it is the old one or the new one.

    Raises StoreError, and DiskFull.
    """
    if path.is_symlink():
        path = path.resolve()
    part = _part(path)
    try:
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, "it is write-protected")
        try:
            _write(part, data)
            if path.exists():
                part.chmod(path.stat().st_mode & 0o777)
            part.replace(path)
        except BaseException:
            remove_part(path)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise failure(path, error) from error


def restore(path: Path, before: bytes | None) -> None:
    """Put back what was there. Raises StoreError."""
    if before is not None:
        write_atomically(path, before)
        return
    try:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise failure(path, error) from error


def remove_part(path: Path) -> None:
    """Take away what a process that was killed left half written."""
    try:
        _part(path).unlink(missing_ok=True)
    except OSError:
        return  # It is hidden, and the next write takes its place.


def failure(path: Path, error: OSError) -> StoreError:
    """What to say of a file that could not be written."""
    if error.errno in _FULL:
        return DiskFull(
            f"The disk is full: “{path.name}” cannot be written. Free some space, then go on."
        )
    return StoreError(
        f"“{path.name}” cannot be written ({reason(error)}). Allow writing in its folder, then "
        "try again."
    )


def reason(error: OSError) -> str:
    return error.strerror or str(error)


def sync_folder(folder: Path) -> None:
    """Make a new name last through a power cut, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and FUSE file systems sync no folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _part(path: Path) -> Path:
    """In the same folder, since a file is replaced in one step only within one file system.

    Always the same for a file, so that a killed process leaves at most one; short, since
    `path.name` may be as long as a name can be.
    """
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f".onlooker-{digest}.part")


def _write(path: Path, data: bytes) -> None:
    # An old one may be a link to somewhere else.
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
