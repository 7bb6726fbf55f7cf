"""Files read without surprises, and replaced in one step.

Only regular files of bounded size are read: a pipe or a device would keep the program waiting or
fill the memory. After a crash a file that was being replaced holds its old or its new content.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from io import DEFAULT_BUFFER_SIZE, BufferedReader, FileIO
from pathlib import Path

from core.errors import StoreError
from core.formatting import format_bytes
from core.message import Message, translatable
from core.partial_file import new_partial, remove_left, take_place

# EFBIG is a limit on the size of one file, which is reached in the same way.
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}
# File systems that keep no permissions (exFAT, SMB, gvfs) refuse to change them in these ways.
_NO_PERMISSIONS = {errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}

_COPY_BYTES = 2**20

LARGEST_FILE = 2_000_000_000
"""The bytes up to which a file is read whole where its reader sets no tighter limit."""


PRIVATE = 0o600
"""Permissions of the program's own files: they hold what people wrote, asked or logged."""


class DiskFull(StoreError):
    """There is no room for a file. It stops a whole folder run; a missing permission does not."""


class UnreadableFile(OSError):
    """What has the file's name is no regular file, or is too large. `strerror` says which."""


def exists(path: Path) -> bool:
    """Returns whether there is a file or folder, also behind a link. Never raises, as `Path.exists`
    does in a folder that may not be entered and for a name that is too long: there is none then."""
    return _mode_of(path) is not None


def is_folder(path: Path) -> bool:
    """Returns whether there is a folder, also behind a link. Never raises; see `exists`."""
    mode = _mode_of(path)
    return mode is not None and stat.S_ISDIR(mode)


def why_away(folder: Path) -> Message | None:
    """Returns a sentence if a folder is not there, or empty, as where its disk is not connected:
    then its files are not known to be gone. None if it is there."""
    with suppress(OSError), os.scandir(folder) as entries:
        if next(entries, None) is not None:
            return None
    text = translatable("core", "“{name}” is not there. Connect its disk, then try again.")
    return text.format(name=folder.name or folder)


def is_file(path: Path) -> bool:
    """Returns whether there is a file, also behind a link. Never raises; see `exists`."""
    mode = _mode_of(path)
    return mode is not None and stat.S_ISREG(mode)


def size_of(path: Path) -> int:
    """Returns the size of a file in bytes; 0 if it cannot be looked at."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def is_link(path: Path) -> bool:
    """Returns whether there is a link. Never raises; see `exists`."""
    return os.path.islink(path)  # noqa: PTH114 (that of Path raises)


def open_regular(
    path: Path, *, most: int = LARGEST_FILE, buffer_bytes: int = DEFAULT_BUFFER_SIZE
) -> BufferedReader:
    """Opens a file of at most `most` bytes for reading, through a link too; never waits.

    Raises UnreadableFile for a pipe, a socket, a device, a folder or a larger file, and OSError.
    The file may grow afterwards: `read_regular` limits what is read too.
    """
    # Opening some devices has effects, so it is looked at first; a pipe would wait for a writer.
    _refuse_unreadable(path.stat(), most)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
    try:
        _refuse_unreadable(os.fstat(descriptor), most)
        return BufferedReader(FileIO(descriptor), buffer_bytes)
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, *, most: int = LARGEST_FILE) -> bytes:
    """Returns what a file of at most `most` bytes holds. Raises as `open_regular`."""
    with open_regular(path, most=most) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise _too_large(most)
    return data


def read_bytes(path: Path, *, most: int = LARGEST_FILE) -> bytes | None:
    """Returns what the file holds; None if there is no file. Raises StoreError."""
    try:
        return read_regular(path, most=most)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return None
        text = translatable(
            "core", "“{name}” cannot be read ({reason}). Allow reading it, or move it away."
        )
        if isinstance(error, UnreadableFile):
            text = translatable(
                "core", "“{name}” cannot be read ({reason}). Move it away, then try again."
            )
        raise StoreError(text.format(name=_shown(path), reason=reason(error))) from error


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

    Keeps the file's permissions. Refuses a write-protected file, and whatever is no regular file.
    Raises StoreError, and DiskFull.
    """
    try:
        if path.is_symlink():
            path = path.resolve()
        replace_file(path, data, mode=_kept_mode(path))
        sync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error) from error


def write_partial(path: Path, data: bytes, *, is_durable: bool) -> None:
    """Writes what is to take the place of a file to `partial_path`, with the file's permissions.

    Refuses what `write_atomically` refuses. With `is_durable` the content is on the disk on return.
    Raises StoreError, and DiskFull, and then leaves nothing.
    """
    try:
        _write_partial(path, data, mode=_kept_mode(path), is_durable=is_durable)
    except OSError as error:
        raise write_error(path, error) from error


def replace_file(
    path: Path, data: bytes, *, mode: int | None = None, is_durable: bool = True
) -> None:
    """Puts a file with `data` in the place of whatever is at `path`, also of a link.

    `mode` is the new file's permissions, where the file system keeps any; None for what the
    system gives a new file. With `is_durable` the content is on the disk on return, its name only
    after `sync_folder`. Raises OSError, and then leaves what was there.
    """
    _write_partial(path, data, mode=mode, is_durable=is_durable, replaces=True)


def partial_path(path: Path) -> Path:
    """Where the new content of `path` is written before it takes the file's place.

    It is in the same folder, because a file is replaced in one step only within one file system.
    It is always the same for a file, so that a killed process leaves at most one, and short,
    because `path.name` may be as long as a name can be.
    """
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f".onlooker-{digest}.part")


def remove_partial(path: Path) -> None:
    """Removes the new content of `path`, or of the file that a link there names, that a killed
    process left half written, if there is any.

    Never raises: the file is hidden, and the next write replaces it.
    """
    with suppress(OSError):
        if path.is_symlink():
            path = path.resolve()
        remove_left(partial_path(path))


def private(name: str, flags: int) -> int:
    """Opens a file of the program's own; give it to `open` as its `opener`.

    Nobody else may read the file, not even for a moment, also where an earlier version let others.
    """
    descriptor = os.open(name, flags, PRIVATE)
    if hasattr(os, "fchmod"):
        with suppress(OSError):  # Some file systems keep no permissions.
            os.fchmod(descriptor, PRIVATE)
    return descriptor


def make_private(path: Path) -> None:
    """Creates a file of the program's own, empty, or takes an existing one from others.

    Raises OSError.
    """
    with open(path, "ab", opener=private):
        pass


def numbered(path: Path) -> Path:
    """Returns `path`, or with a number before its suffix if that is taken: `a.2.bak`."""
    free, number = path, 1
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.stem}.{number}{path.suffix}")
    return free


def keep_copy(path: Path, copy: Path) -> None:
    """Copies a file of the program's own to a new file that only its owner may read.

    The copy is on the disk on return. Raises OSError, and then leaves no copy.
    """
    try:
        with (
            open_regular(path, most=sys.maxsize) as source,
            open(copy, "xb", opener=private) as target,
        ):
            shutil.copyfileobj(source, target, _COPY_BYTES)
            target.flush()
            os.fsync(target.fileno())
    except FileExistsError:
        raise
    except BaseException:
        copy.unlink(missing_ok=True)
        raise


def write_error(path: Path, error: OSError) -> StoreError:
    """Returns the error to raise where `path` could not be written; DiskFull for a full disk."""
    what = translatable("core", "“{name}” cannot be written ({reason}). Allow writing in its "
                        "folder, then try again.")  # fmt: skip
    if error.errno in _FULL:
        what = translatable("core", "The disk is full, so “{name}” cannot be written. Free some "
                            "space, then try again.")  # fmt: skip
    elif error.errno == errno.ENAMETOOLONG:
        what = translatable("core", "“{name}” cannot be written, as its name is too long for the "
                            "disk. Shorten the name, then try again.")  # fmt: skip
    elif error.errno == errno.ENOENT:
        what = translatable("core", "“{name}” cannot be written ({reason}). Check that its folder "
                            "is still there, then try again.")  # fmt: skip
    elif error.errno in (errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
        what = translatable("core", "“{name}” cannot be written ({reason}). Something else has its "
                            "name, or that of its folder. Choose another one.")  # fmt: skip
    kind = DiskFull if error.errno in _FULL else StoreError
    return kind(what.format(name=_shown(path), reason=reason(error)))


def _shown(path: Path) -> str:
    """Returns the name of a file; that of the current folder, or a root, is empty."""
    return path.name or str(path)


def reason(error: OSError) -> str:
    """Returns what the system says about the error, without a number and a path."""
    return error.strerror or str(error)


def sync_folder(folder: Path) -> None:
    """Makes new names in the folder survive a power cut, where the system supports it."""
    if os.name == "nt":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return  # Files can be made in a folder that may not be listed.
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and FUSE file systems do not sync folders.
        if error.errno not in {errno.EINVAL, *_NO_PERMISSIONS}:
            raise
    finally:
        os.close(descriptor)


def _write_partial(
    path: Path, data: bytes, *, mode: int | None, is_durable: bool, replaces: bool = False
) -> None:
    """Writes the new content of `path`, and with `replaces` puts it into its place before anybody
    else can write another one."""
    partial = partial_path(path)
    file = new_partial(partial, _opener(mode))
    try:
        with file:
            if mode is not None:
                _set_permissions(partial, mode)
            file.write(data)
            file.flush()
            if is_durable:
                os.fsync(file.fileno())
            if replaces and os.name != "nt":
                take_place(partial, path)
        if replaces and os.name == "nt":  # It moves no open file.
            take_place(partial, path)
    except BaseException:
        with suppress(OSError):
            remove_left(partial)
        raise


def _kept_mode(path: Path) -> int | None:
    """Returns the permissions of the file that is to be replaced; None if there is none. Raises
    OSError if it may not be."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, translatable("core", "it is write-protected"))
    _refuse_irregular(status)
    return status.st_mode & 0o777


def _mode_of(path: Path) -> int | None:
    with suppress(OSError, ValueError):
        return path.stat().st_mode
    return None


def _refuse_unreadable(status: os.stat_result, most: int) -> None:
    _refuse_irregular(status)
    if status.st_size > most:
        raise _too_large(most)


def _refuse_irregular(status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), translatable("core", "it is not a file"))
    raise UnreadableFile(errno.EINVAL, kind)


_KINDS = {
    stat.S_IFDIR: translatable("core", "it is a folder, not a file"),
    stat.S_IFIFO: translatable("core", "it is a pipe, not a file"),
    stat.S_IFSOCK: translatable("core", "it is a socket, not a file"),
    stat.S_IFCHR: translatable("core", "it is a device, not a file"),
    stat.S_IFBLK: translatable("core", "it is a device, not a file"),
}


def _too_large(most: int) -> UnreadableFile:
    text = translatable("core", "it is larger than {size}")
    return UnreadableFile(errno.EOVERFLOW, text.format(size=format_bytes(most)))


def _opener(mode: int | None) -> Callable[[str, int], int]:
    """Creates a file with no more permissions than it will have, from its first byte on."""

    def opened(name: str, flags: int) -> int:
        return os.open(name, flags, 0o666 if mode is None else mode & 0o666 | 0o200)

    return opened


def _set_permissions(path: Path, mode: int) -> None:
    try:
        path.chmod(mode)
    except OSError as error:
        if error.errno not in _NO_PERMISSIONS:
            raise
