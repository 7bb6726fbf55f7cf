"""Finds the picture files of folders, in the order in which a person counts."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.files import is_folder
from core.message import joined, translatable
from core.picture.format import (
    PICTURE_SUFFIXES,
    TRUSTED_SUFFIXES,
    OtherFormat,
    PictureFormat,
    name_of,
)
from core.picture.natural_order import natural_key, sorted_in_parts
from core.picture.recognition import kind_of


@dataclass(frozen=True)
class FoundPictures:
    """The picture files of folders, how many files of each other kind of image there are, and which
    folders may not be read."""

    pictures: list[Path]
    left_out: Counter[PictureFormat | OtherFormat]
    unreadable: tuple[Path, ...] = ()

    @property
    def sentence(self) -> str:
        """What was left out; empty for nothing."""
        return joined(self._kinds, self._folders)

    @property
    def _folders(self) -> str:
        if not self.unreadable:
            return ""
        first, *others = self.unreadable
        text = translatable("core", "“{folder}” cannot be read. Allow reading in its permissions.")
        if others:
            text = translatable(
                "core",
                "“{folder}” and {count} more cannot be read. Allow reading in their permissions.",
            )
            return text.format(folder=first.name or first, count=f"{len(others):,}")
        return text.format(folder=first.name or first)

    @property
    def _kinds(self) -> str:
        """By kinds, the most frequent first."""
        if not self.left_out:
            return ""
        most_first = sorted(
            self.left_out.items(), key=lambda item: (-item[1], name_of(item[0]).lower())
        )
        kinds = (_counted(kind, count) for kind, count in most_first)
        text = translatable("core", "Skipped images that Onlooker cannot show: {kinds}.")
        return text.format(kinds=joined(*kinds, between=", "))


def find_pictures(
    paths: Iterable[Path], recursive: bool = False, *, trusts_suffix: bool = False
) -> list[Path]:
    """Returns the files among `paths` as they are, and for each folder its picture files.

    The pictures of a folder are in natural order, 2 before 10. No file is returned twice. Hidden
    and unreadable files of a folder are skipped. With `recursive`, the pictures of a folder's
    subfolders follow its own; links to folders are not followed. With `trusts_suffix`, a file with
    a suffix of `TRUSTED_SUFFIXES` is not opened to look at its content, which finds 100,000
    pictures in a third of the time.
    """
    return look_for_pictures(paths, recursive, trusts_suffix=trusts_suffix).pictures


def look_for_pictures(
    paths: Iterable[Path], recursive: bool = False, *, trusts_suffix: bool = False
) -> FoundPictures:
    """Does what `find_pictures` does, and counts images that cannot be shown: without a plugin for
    them, or without the preview that would be shown."""
    found: dict[str, Path] = {}
    search = PictureSearch(recursive, trusts_suffix)
    for path in paths:
        is_root = is_folder(path)
        pictures = search.pictures(path) if is_root else [path]
        # Made absolute once here, where it can be, not for each of 100,000 pictures.
        is_absolute = is_root and os.path.abspath(path) == str(path)  # noqa: PTH100 (keeps links)
        for picture in pictures:
            # Compared by name, so that a link and its target are two files.
            name = str(picture) if is_absolute else os.path.abspath(picture)  # noqa: PTH100
            found.setdefault(name, picture)
    return FoundPictures(list(found.values()), search.left_out, tuple(search.unreadable))


def is_picture(path: Path) -> bool:
    """Whether the file is one that Onlooker opens, by its content. Never raises."""
    return kind_of(path)[1]


class PictureSearch:
    """A search of folders. `left_out` counts what cannot be shown, `unreadable` has the folders
    that may not be read, and `passed_over` the subfolders of a search that is not recursive, of all
    searched so far."""

    def __init__(self, is_recursive: bool, trusts_suffix: bool):
        self._is_recursive, self._trusts_suffix = is_recursive, trusts_suffix
        self.left_out: Counter[PictureFormat | OtherFormat] = Counter()
        self.unreadable: list[Path] = []
        self.passed_over: list[Path] = []

    def pictures(self, folder: Path) -> Iterator[Path]:
        """Yields the picture files of a folder; see `find_pictures`."""
        for path, entries in self.folders(folder):
            for entry in entries:
                yield path / entry.name

    def folders(self, folder: Path) -> Iterator[tuple[Path, list[os.DirEntry[str]]]]:
        """Yields a folder, and then those inside it, with the picture files directly in each."""
        waiting = [folder]
        while waiting:
            path = waiting.pop()
            try:
                with os.scandir(path) as entries:
                    visible = _in_natural_order([e for e in entries if not _is_hidden(e)])
            except OSError:
                self.unreadable.append(path)
                continue
            subfolders = {entry.name: entry for entry in visible if _is_folder_entry(entry)}
            inside = [path / e.name for e in subfolders.values() if not e.is_symlink()]
            if self._is_recursive:
                waiting += reversed(inside)
            else:
                self.passed_over += inside
            files = [entry for entry in visible if entry.name not in subfolders]
            yield path, self._pictures_among(path, files)

    def _pictures_among(
        self, folder: Path, files: list[os.DirEntry[str]]
    ) -> list[os.DirEntry[str]]:
        trusted = {e.name for e in files if self._trusts_suffix and _has_trusted_suffix(e.name)}
        # Files named after a picture, such as its caption, are not opened to see whether they are
        # one.
        companions = trusted | {name.rpartition(".")[0] for name in trusted}
        return [
            entry
            for entry in files
            if entry.name in trusted
            or (not _is_companion(entry.name, companions) and self._is_picture(folder / entry.name))
        ]

    def _is_picture(self, path: Path) -> bool:
        kind, is_readable = kind_of(path)
        if not is_readable and kind is not None and kind not in _NO_IMAGES:
            self.left_out[kind] += 1
        return is_readable


_NO_IMAGES = frozenset(
    {
        OtherFormat.PDF,
        OtherFormat.POSTSCRIPT,
        OtherFormat.TEXT,
        OtherFormat.VIDEO,
        OtherFormat.WEB_PAGE,
        OtherFormat.ZIP,
    }
)
"""What nobody expects to be captioned."""


def _counted(kind: PictureFormat | OtherFormat, count: int) -> str:
    text = translatable("core", "{count} × {format}")
    if kind in (PictureFormat.CAMERA_RAW, PictureFormat.PSD):
        text = translatable("core", "{count} × {format} without a preview")
    return text.format(count=f"{count:,}", format=name_of(kind))


def _is_companion(name: str, companions: set[str]) -> bool:
    """Whether it is a caption or the like of a trusted picture, going by its name."""
    stem, _, suffix = name.rpartition(".")
    return stem in companions and f".{suffix.lower()}" not in PICTURE_SUFFIXES


def _is_folder_entry(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link to itself.
        return False


def _has_trusted_suffix(name: str) -> bool:
    return name[name.rfind(".") :].lower() in TRUSTED_SUFFIXES


def _is_hidden(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith("."):
        return True
    if os.name != "nt":
        return False
    attributes = getattr(entry.stat(follow_symlinks=False), "st_file_attributes", 0)
    return bool(attributes & stat.FILE_ATTRIBUTE_HIDDEN)


def _in_natural_order(entries: Sequence[os.DirEntry[str]]) -> list[os.DirEntry[str]]:
    keys = [natural_key(entry.name) for entry in entries]
    return [entries[place] for place in sorted_in_parts(range(len(keys)), keys.__getitem__)]
