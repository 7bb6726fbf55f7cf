"""Moves images with the files beside them into another folder, or back.

A plan names every file and its new place before anything is touched, so that a journal can keep it.
Carrying it out replaces no file, and can be finished or taken back after a crash at any point.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from unicodedata import normalize

from core.captions.formats import CaptionFormat
from core.captions.naming import CaptionNames
from core.captions.sidecar import filled_name
from core.errors import StoreError
from core.files import (
    open_regular,
    partial_path,
    reason,
    remove_partial,
    sync_folder,
    write_error,
)
from core.message import translatable
from core.partial_file import take_place
from core.picture import PICTURE_SUFFIXES
from core.syncing import sync_file
from core.workspace.removal import remove_soon

# Files that other programs write for an image, under its stem: edits and cached latents.
_SIDECARS = (".aae", ".dop", ".json", ".npz", ".pp3", ".safetensors", ".thm")
_CAPTIONS = (CaptionFormat.TXT, CaptionFormat.CAPTION, CaptionFormat.XMP)
_CHUNK = 2**20


@dataclass(frozen=True)
class FileMove:
    """A file and the place it goes to. One that another image needs `is_copy`: it stays as well.

    `trash_info` is what the system's trash wants to know about a file that is moved there.
    """

    source: Path
    target: Path
    is_copy: bool = False
    trash_info: str = ""

    def to_json(self) -> dict[str, Any]:
        """Returns it for a journal. Names that are not text are kept as Python keeps them."""
        return {
            "source": str(self.source),
            "target": str(self.target),
            "is_copy": self.is_copy,
            "trash_info": self.trash_info,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> FileMove:
        """Returns what `to_json` was called for."""
        source, target = Path(values["source"]), Path(values["target"])
        return cls(source, target, values["is_copy"], values["trash_info"])

    @property
    def info_path(self) -> Path:
        """Returns where `trash_info` is written."""
        return self._trash / "info" / f"{self.target.name}.trashinfo"

    @property
    def away(self) -> Path:
        """Returns where `trash_info` is while it is being removed: where the trash of GNOME has
        what it removes, so that it removes it too."""
        return self._trash / "expunged" / "onlooker"

    @property
    def _trash(self) -> Path:
        return self.target.parent.parent


def planned_moves(sidecars: SidecarFinder, folder: Path) -> Iterator[tuple[Path, list[FileMove]]]:
    """Yields each image and the moves of its files to `folder`, sidecars first; none for an image
    that is there already. Where a name is taken, the image and its sidecars get a number."""
    real, there = lru_cache(maxsize=1000)(os.path.realpath), os.path.realpath(folder)
    taken: set[str] = set()
    for picture in sidecars.pictures:
        if real(picture.parent) == there:
            yield picture, []
            continue
        files = [*sidecars.of(picture), (picture, False)]
        names = [path.name for path, _ in files]
        targets = _free_names(picture, names, sidecars.pattern, folder, taken)
        moves = [
            FileMove(path, folder / target, is_copy)
            for (path, is_copy), target in zip(files, targets, strict=True)
        ]
        taken.update(_key(move.target.name) for move in moves)
        yield picture, moves


class SidecarFinder:
    """Finds the files beside images that belong to them: captions, and what other programs keep.

    `pictures` are all images that are moved or deleted together, and `pattern` is that of the
    caption files' names. Lists each folder once, at the beginning.
    """

    def __init__(self, pictures: Sequence[Path], pattern: str = "{stem}"):
        self.pictures, self.pattern = pictures, pattern
        self._names = CaptionNames(pattern, _CAPTIONS, pictures=pictures)
        self._leaving = {str(path) for path in pictures}
        self._given: set[Path] = set()
        self._folders: dict[Path, _Beside] = {}
        for picture in pictures:
            if picture.parent not in self._folders:
                self._folders[picture.parent] = _Beside(picture.parent)
                self._names.targets(picture)

    def of(self, picture: Path) -> list[tuple[Path, bool]]:
        """Returns the files, and whether an image that stays needs it too. What two images share
        that both leave goes with the first."""
        beside = self._folders[picture.parent]
        captions = [path for path in self._names.targets(picture) if os.path.lexists(path)]
        found = dict.fromkeys(path for path in captions if path.parent == picture.parent)
        found.update(dict.fromkeys(beside.others(picture)))
        found.pop(picture, None)
        staying = [one for one in beside.twins(picture) if str(one) not in self._leaving]
        needed = {path for twin in staying for path in self._names.targets(twin)}
        needed.update(path for twin in staying for path in beside.others(twin))
        files = [(path, path in needed) for path in found if path not in self._given]
        self._given.update(path for path, is_needed in files if not is_needed)
        return files


class _Beside:
    """The names in a folder, by stem."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._by_stem: dict[str, list[str]] = {}
        try:
            names = os.listdir(folder)  # noqa: PTH208 (100,000 paths take half a second)
        except OSError:
            names = []
        for name in names:
            self._by_stem.setdefault(_key(_stem(name)), []).append(name)

    def twins(self, picture: Path) -> list[Path]:
        """Returns other images with the same stem."""
        names = sorted(self._by_stem.get(_key(picture.stem), []))
        return [
            self._folder / name
            for name in names
            if name != picture.name and _suffix(name) in PICTURE_SUFFIXES
        ]

    def others(self, picture: Path) -> list[Path]:
        """Returns the sidecars that hold no caption: under the whole name, or under the stem."""
        by_name = sorted(self._by_stem.get(_key(picture.name), []))
        by_stem = sorted(self._by_stem.get(_key(picture.stem), []))
        names = [name for name in by_name if _suffix(name) not in PICTURE_SUFFIXES]
        names += [name for name in by_stem if _suffix(name) in _SIDECARS]
        return [self._folder / name for name in dict.fromkeys(names)]


def _free_names(
    picture: Path, names: Sequence[str], pattern: str, folder: Path, taken: set[str]
) -> list[str]:
    """Returns the names of an image's files, all with a number if one of them is taken."""
    found, number = list(names), 1
    while any(_key(name) in taken or os.path.lexists(folder / name) for name in found):
        number += 1
        new = f"{picture.stem} ({number}){picture.suffix}"
        found = [_renamed(name, picture, new, pattern) for name in names]
    return found


def _renamed(name: str, picture: Path, new: str, pattern: str) -> str:
    """Returns a sidecar's name, or the image's own, for an image that is called `new`."""
    if new == picture.name:
        return name
    stem, suffix = _stem(name), name[len(_stem(name)) :]
    if stem == filled_name(pattern, picture.name):
        return filled_name(pattern, new) + suffix
    rest = name[len(picture.stem) :] if name.startswith(picture.stem) else suffix
    return _stem(new) + rest


def _stem(name: str) -> str:
    end = name.rfind(".")
    return name[:end] if end > 0 else name


def _suffix(name: str) -> str:
    end = name.rfind(".")
    return name[end:].lower() if end > 0 else ""


def _key(name: str) -> str:
    """What names have in common that are one file on some disks."""
    return normalize("NFC", name).casefold()


# Carrying out


def perform(move: FileMove, *, is_resumed: bool = False) -> None:
    """Moves or copies the file. Raises StoreError, and then leaves both places as they were.

    With `is_resumed` an earlier process may have been killed in the middle: what it began is
    finished, and what is done already stays. New names may be lost by a power cut until the journal
    of the caller says so.
    """
    try:
        if move.trash_info and os.path.lexists(move.source):
            _write_info(move, is_resumed=is_resumed)
        elif not os.path.isdir(move.target.parent):  # noqa: PTH112 (quick)
            move.target.parent.mkdir(parents=True, exist_ok=True)
        if is_resumed:
            _bring(move.source, move.target, is_copy=move.is_copy)
        else:
            _carry(move.source, move.target, is_copy=move.is_copy)
    except OSError as error:
        if move.trash_info and not os.path.lexists(move.target):
            move.info_path.unlink(missing_ok=True)
        raise _error(move.source, move.target, error) from error


def revert(move: FileMove) -> None:
    """Takes a move back, also one that was only begun, or was taken back already. Raises StoreError
    where another file has the old name, or the file is not where it was put."""
    try:
        if not move.is_copy:
            _bring(move.target, move.source)
        elif os.path.lexists(move.target):
            if not _is_reserved(move.target) and not _is_same(move.source, move.target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            move.target.unlink()
        if move.trash_info:
            remove_soon(move.info_path, move.away)
    except OSError as error:
        raise _error(move.target, move.source, error) from error


def _bring(source: Path, target: Path, *, is_copy: bool = False) -> None:
    """Makes the file stand at `target`, whatever a killed process left: the name reserved for it,
    a whole copy beside the original, the same the other way round, or all done."""
    has_target = os.path.lexists(target)
    if has_target and os.path.lexists(source):
        if _is_reserved(target):
            target.unlink()
            has_target = False
        elif not is_copy and _is_reserved(source):
            source.unlink()
        elif not _is_same(source, target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        elif not is_copy:
            source.unlink()
    if not has_target:
        _carry(source, target, is_copy=is_copy)


def _carry(source: Path, target: Path, *, is_copy: bool = False) -> None:
    source.lstat()
    # The name is reserved first: a file that another program makes meanwhile is not replaced.
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        if is_copy:
            _copy(source, target)
            return
        try:
            take_place(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _copy(source, target)
            sync_folder(target.parent)
            source.unlink()
    except BaseException:
        if os.path.lexists(source) and _is_reserved(target):
            target.unlink()
        raise


def _copy(source: Path, target: Path) -> None:
    """Copies to the reserved name, in one step; the content is on the disk on return."""
    partial = partial_path(target)
    try:
        partial.unlink(missing_ok=True)
        shutil.copy2(source, partial, follow_symlinks=False)
        if not partial.is_symlink():
            sync_file(str(partial))
        take_place(partial, target)
    except BaseException:
        remove_partial(target)
        raise


def _is_reserved(path: Path) -> bool:
    status = path.lstat()
    return not path.is_symlink() and status.st_size == 0


def _is_same(one: Path, other: Path) -> bool:
    if one.is_symlink() or other.is_symlink():
        return one.is_symlink() and other.is_symlink() and one.readlink() == other.readlink()
    with open_regular(one) as mine, open_regular(other) as theirs:
        while (chunk := mine.read(_CHUNK)) == theirs.read(_CHUNK):
            if not chunk:
                return True
    return False


def _write_info(move: FileMove, *, is_resumed: bool) -> None:
    """Writes what the trash wants to know of a file, and makes the trash if there is none."""
    info = move.info_path
    for folder in (move.target.parent, info.parent):
        if not os.path.isdir(folder):  # noqa: PTH112 (quick)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_resumed:
        info.unlink(missing_ok=True)
    descriptor = os.open(info, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        os.write(descriptor, move.trash_info.encode())
    finally:
        os.close(descriptor)


def _error(source: Path, target: Path, error: OSError) -> StoreError:
    if isinstance(error, FileExistsError):
        return StoreError(
            translatable(
                "core",
                "“{name}” cannot be moved, as there is another file “{other}” in {folder}. Move "
                "or rename that one, then try again.",
            ).format(name=source.name, other=target.name, folder=target.parent)
        )
    if isinstance(error, FileNotFoundError) and not os.path.lexists(source):
        return StoreError(
            translatable(
                "core",
                "“{name}” is no longer in {folder}. Find where it was moved, then open it again.",
            ).format(name=source.name, folder=source.parent)
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreError(
            translatable(
                "core",
                "“{name}” cannot be moved ({reason}). Allow writing in {folder} and where it is "
                "now, then try again.",
            ).format(name=source.name, reason=reason(error), folder=target.parent)
        )
    return write_error(target, error)
