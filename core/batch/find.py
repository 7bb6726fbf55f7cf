"""Finds the images of a run, and which of them already have a caption; 100,000 in a second.

At such numbers one more `Path` per file takes half a second, so names stay text where they can.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from core.batch.formats import CaptionFormat
from core.batch.items import HAS_CAPTION, Item, ItemState
from core.batch.options import BatchOptions
from core.batch.sidecar import Existing, decoded
from core.picture import FoundPictures, look_for_pictures

# A byte order mark and a line end: smaller files must be read to know whether they are blank.
_BLANK_BYTES = 5


def found_pictures(roots: Sequence[Path], options: BatchOptions) -> FoundPictures:
    """Returns the images in folders, files and patterns with * or ?, and what was left out."""
    return look_for_pictures(expanded(roots), options.is_recursive, trusts_suffix=True)


def expanded(roots: Iterable[Path]) -> list[Path]:
    """Returns the paths with patterns replaced by what they match; one that matches nothing stays.

    Brackets stand for themselves in the name of a folder or file that there is, and elsewhere both
    for themselves and for one of the letters within.
    """
    paths: list[Path] = []
    for root in roots:
        is_pattern = not root.exists() and glob.has_magic(str(root))
        paths += (_matches(root) if is_pattern else []) or [root]
    return paths


def _matches(pattern: Path) -> list[Path]:
    parts = pattern.parts
    known, count = Path(), 0
    while count < len(parts) and (known / parts[count]).exists():
        known /= parts[count]
        count += 1
    begin = glob.escape(str(known)) if count else ""
    rest = str(Path(*parts[count:]))
    names: set[str] = set()
    for each in (rest, rest.replace("[", "[[]")):
        # Not joined as paths, which would take the dots of “..” away.
        names.update(glob.glob(os.path.join(begin, each), recursive=True))  # noqa: PTH118, PTH207
    return [Path(name) for name in sorted(names)]


def planned(found: Sequence[Path], options: BatchOptions, known: Mapping[str, Item]) -> list[Item]:
    """Returns an item for each image; `known` has those that the run has dealt with, by path."""
    is_quick = (
        options.existing is Existing.SKIP
        and options.text_formats
        and CaptionFormat.XMP not in options.writes
    )
    captions = _TextFiles(options) if is_quick else None
    items: list[Item] = []
    for path in found:
        item = known.get(str(path)) if known else None
        if item is None or item.state is ItemState.SKIPPED:
            item = Item(path)
            if captions and captions.are_beside(str(path)):
                item = Item(path, ItemState.SKIPPED, reason=HAS_CAPTION)
        items.append(item)
    return items


def sharing_names(items: Sequence[Item], options: BatchOptions) -> Iterator[tuple[int, str]]:
    """Yields the numbers of waiting images whose caption file is another image's too, as for a.jpg
    and a.png, with the reason for the user. The first image of each file may write it."""
    if not options.text_formats or "{name}" in options.name:
        return
    owners: dict[str, Path] = {}
    for number, item in enumerate(items):
        owner = owners.setdefault(os.path.normcase(_stem(str(item.path))), item.path)
        if owner is not item.path and item.state is ItemState.WAITING:
            yield (
                number,
                f"“{item.path.name}” and “{owner.name}” would share a caption file. Name the "
                "captions after the whole file name, {name}.",
            )


def export_folder(roots: Sequence[Path]) -> Path:
    """Returns the folder for the tables of a run."""
    first = roots[0] if roots else Path.cwd()
    while not first.is_dir() and first != first.parent:
        first = first.parent
    return first


class _TextFiles:
    """The text files beside images, which must be asked about folder by folder."""

    def __init__(self, options: BatchOptions):
        self._ends = [f"{options.name}.{one}" for one in options.text_formats]
        self._folder, self._names = "", frozenset[str]()

    def are_beside(self, picture: str) -> bool:
        """Returns whether each of an image's text files has text. If unsure it returns False, since
        the run looks again later."""
        folder, _, name = picture.rpartition(os.sep)
        if folder != self._folder:
            self._folder, self._names = folder, _names_in(folder + os.sep)
        stem = _stem(name)
        return all(
            caption in self._names and _has_size(f"{folder}{os.sep}{caption}")
            for end in self._ends
            for caption in (end.replace("{stem}", stem).replace("{name}", name),)
        )


def _stem(name: str) -> str:
    """Without the last suffix, as `Path.stem` has it."""
    end = name.rfind(".")
    return name[:end] if end > name.rfind(os.sep) + 1 else name


def _names_in(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return frozenset()


def _has_size(path: str) -> bool:
    """Returns whether it is a file with more in it than white space."""
    try:
        status = os.stat(path)  # noqa: PTH116
        if not stat.S_ISREG(status.st_mode) or status.st_size > _BLANK_BYTES:
            return stat.S_ISREG(status.st_mode)
        return bool(decoded(Path(path).read_bytes()))
    except OSError:
        return False
