"""The system's trash.

On Linux files are moved as the specification of freedesktop.org says, so that it is known where
they are and undo brings them back. Windows and macOS do not tell, so there undo cannot.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from core.errors import StoreError
from core.files import reason
from core.message import translatable
from core.workspace.move import FileMove, SidecarFinder

HAS_WAY_BACK = sys.platform not in ("win32", "darwin")
"""Whether undo can bring back what is in the trash. Where not, a confirmation says so."""


def planned_deletions(sidecars: SidecarFinder) -> Iterator[tuple[Path, list[FileMove]]]:
    """Yields each image and the moves of its files to the trash, for `move.perform`, where there
    is a way back. Files that an image which stays needs too stay. Raises StoreError."""
    trashes: dict[int, tuple[Path, Path | None]] = {}
    taken: set[Path] = set()
    for picture in sidecars.pictures:
        files = [path for path, is_needed in sidecars.of(picture) if not is_needed]
        yield picture, [_deletion(path, trashes, taken) for path in (*files, picture)]


def sent_to_trash(sidecars: SidecarFinder) -> Iterator[tuple[Path, str]]:
    """Moves images and their files to the trash where there is no way back, one each time the next
    is asked for. Yields each image and why it could not be moved, "" for one that was."""
    from send2trash import send2trash  # pyright: ignore[reportMissingModuleSource]  # Not on Linux.

    for picture in sidecars.pictures:
        files = [path for path, is_needed in sidecars.of(picture) if not is_needed]
        try:
            send2trash([str(path) for path in (*files, picture)])
        except OSError as error:
            yield picture, _error(picture, error).message
        else:
            yield picture, ""


def _deletion(
    path: Path, trashes: dict[int, tuple[Path, Path | None]], taken: set[Path]
) -> FileMove:
    try:
        path.lstat()
        device = path.parent.stat().st_dev  # An overlay's files have others than its folders.
        if device not in trashes:
            trashes[device] = _trash_of(path, device)
        trash, top = trashes[device]
        target = _free(trash, path.name, taken)
        taken.add(target)
    except OSError as error:
        raise _error(path, error) from error
    return FileMove(path, target, trash_info=_info(path, top))


def _free(trash: Path, name: str, taken: set[Path]) -> Path:
    """Returns a place in the trash whose name neither a file nor an info file has."""
    stem, dot, suffix = name.rpartition(".")
    free, number = trash / "files" / name, 1
    while (
        free in taken
        or os.path.lexists(free)
        or os.path.lexists(trash / "info" / f"{free.name}.trashinfo")
    ):
        number += 1
        free = free.with_name(f"{stem}.{number}{dot}{suffix}" if stem else f"{name}.{number}")
    return free


def _trash_of(path: Path, device: int) -> tuple[Path, Path | None]:
    """Returns the trash for files of a disk, and the top folder of that disk if paths in the trash
    are relative to it. Raises OSError."""
    home = _home_trash()
    existing = next(one for one in (home, *home.parents) if one.exists())
    if existing.stat().st_dev == device:
        return home, None
    top = Path(os.path.realpath(path.parent))
    while not top.is_mount() and top.parent != top and top.parent.stat().st_dev == device:
        top = top.parent
    user = str(os.getuid())
    shared = top / ".Trash"
    # One that anybody may write to must be sticky and no link, or others could take files.
    if shared.is_dir() and not shared.is_symlink() and shared.stat().st_mode & stat.S_ISVTX:
        return shared / user, top
    own = top / f".Trash-{user}"
    own.mkdir(mode=0o700, exist_ok=True)
    if own.is_symlink() or own.stat().st_uid != os.getuid():
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return own, top


def _home_trash() -> Path:
    data = os.environ.get("XDG_DATA_HOME", "")
    folder = Path(data) if data and Path(data).is_absolute() else Path.home() / ".local" / "share"
    return folder / "Trash"


def _info(path: Path, top: Path | None) -> str:
    real = os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118 (quick)
    name = real if top is None else Path(real).relative_to(top)
    moment = datetime.now().astimezone().strftime("%Y-%m-%dT%H:%M:%S")
    return f"[Trash Info]\nPath={quote(os.fsencode(name))}\nDeletionDate={moment}\n"


def _error(path: Path, error: OSError) -> StoreError:
    if isinstance(error, FileNotFoundError) and not os.path.lexists(path):
        text = translatable("core", "“{name}” is no longer there. Open the folder again.")
        return StoreError(text.format(name=path.name))
    return StoreError(
        translatable(
            "core",
            "“{name}” cannot be moved to the trash ({reason}). Check that its disk has a trash and "
            "that you may write in its folder.",
        ).format(name=path.name, reason=reason(error))
    )
