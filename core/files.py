"""Files that are replaced in one step: after a crash they hold their old or their new content."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

from core.errors import StoreError

# EFBIG is a limit on the size of one file, which is reached in the same way.
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}


class DiskFull(StoreError):
    """There is no room for a file. It stops a whole folder run; a missing permission does not."""


def read_bytes(path: Path) -> bytes | None:
    """Returns what the file holds; None if there is no file. Raises StoreError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(
            f"“{path.name}” cannot be read ({reason(error)}). Allow reading it, or move it away."
        ) from error


def restore(path: Path, content: bytes | None) -> None:
    """Gives the file this content again, or removes it for None. Raises StoreError."""
    if content is not None:
        write_atomically(path, content)
        return
    try:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error) from error


def write_atomically(path: Path, data: bytes) -> None:
    """Writes `data` to `path`, or to the file that a link there names; it is on the disk on return.

    Keeps the file's permissions and refuses a write-protected file. Raises StoreError, and
    DiskFull.
    """
    try:
        if path.is_symlink():
            path = path.resolve()
        mode = None
        if path.exists():
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, "it is write-protected")
            mode = path.stat().st_mode & 0o777
        replace_file(path, data, mode=mode)
        sync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error) from error


def replace_file(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Puts a file with `data` in the place of whatever is at `path`, also of a link.

    `mode` is the new file's permissions; None for what the system gives a new file. The content
    is on the disk on return, its name only after `sync_folder`. Raises OSError, and then leaves
    what was there.
    """
    partial = partial_path(path)
    try:
        partial.unlink(missing_ok=True)  # An old one may be a link to somewhere else.
        with partial.open("xb") as file:
            if mode is not None:
                partial.chmod(mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        remove_partial(path)
        raise


def partial_path(path: Path) -> Path:
    """Where the new content of `path` is written before it takes the file's place.

    It is in the same folder, because a file is replaced in one step only within one file system.
    It is always the same for a file, so that a killed process leaves at most one, and short,
    because `path.name` may be as long as a name can be.
    """
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f".onlooker-{digest}.part")


def remove_partial(path: Path) -> None:
    """Removes the new content of `path` that a killed process left half written, if there is any.

    Never raises: the file is hidden, and the next write replaces it.
    """
    try:
        partial_path(path).unlink(missing_ok=True)
    except OSError:
        return


def write_error(path: Path, error: OSError) -> StoreError:
    """Returns the error to raise where `path` could not be written; DiskFull for a full disk."""
    if error.errno in _FULL:
        return DiskFull(
            f"The disk is full: “{path.name}” cannot be written. Free some space, then go on."
        )
    return StoreError(
        f"“{path.name}” cannot be written ({reason(error)}). Allow writing in its folder, then "
        "try again."
    )


def reason(error: OSError) -> str:
    """Returns what the system says about the error, without a number and a path."""
    return error.strerror or str(error)


def sync_folder(folder: Path) -> None:
    """Makes new names in the folder survive a power cut, where the system supports it."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and FUSE file systems do not sync folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
