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
    trashes = _Trashes()
    for picture in sidecars.pictures:
        files = [path for path, is_needed in sidecars.of(picture) if not is_needed]
        yield picture, [trashes.deletion(path) for path in (*files, picture)]


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


class _Trashes:
    """The trash of each disk, and what is known of the folders whose files go there."""

    def __init__(self) -> None:
        self._by_disk: dict[int, tuple[Path, Path | None]] = {}
        # For the files of a folder: their trash, and what its paths begin with.
        self._by_folder: dict[Path, tuple[Path, str]] = {}
        self._taken: set[Path] = set()

    def deletion(self, path: Path) -> FileMove:
        """Returns the move of a file to its trash. Raises StoreError."""
        try:
            path.lstat()
            trash, begin = self._of_folder(path.parent)
            target = _free(trash, path.name, self._taken)
            self._taken.add(target)
        except OSError as error:
            raise _error(path, error) from error
        return FileMove(path, target, trash_info=_info(begin + path.name))

    def _of_folder(self, folder: Path) -> tuple[Path, str]:
        if (known := self._by_folder.get(folder)) is not None:
            return known
        device = folder.stat().st_dev  # An overlay's files have others than its folders.
        if device not in self._by_disk:
            self._by_disk[device] = _trash_of(folder, device)
        trash, top = self._by_disk[device]
        real = Path(os.path.realpath(folder))
        begin = os.path.join(real if top is None else real.relative_to(top), "")  # noqa: PTH118
        begin = "" if begin == os.path.join(os.curdir, "") else begin  # noqa: PTH118
        self._by_folder[folder] = trash, begin
        return trash, begin


def _free(trash: Path, name: str, taken: set[Path]) -> Path:
    """Returns a place in the trash whose name neither a file nor an info file has."""
    stem, dot, suffix = name.rpartition(".")
    free, number = trash / "files" / name, 1
    info = os.path.join(trash, "info")  # noqa: PTH118 (quick)
    while (
        free in taken
        or os.path.lexists(free)
        or os.path.lexists(f"{info}{os.sep}{free.name}.trashinfo")
    ):
        number += 1
        free = free.with_name(f"{stem}.{number}{dot}{suffix}" if stem else f"{name}.{number}")
    return free


def _trash_of(folder: Path, device: int) -> tuple[Path, Path | None]:
    """Returns the trash for the files of a folder on a disk, and the top folder of that disk if
    paths in the trash are relative to it. Raises OSError."""
    home = _home_trash()
    existing = next(one for one in (home, *home.parents) if one.exists())
    if existing.stat().st_dev == device:
        return home, None
    top = Path(os.path.realpath(folder))
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


def _info(name: str) -> str:
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
