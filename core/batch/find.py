"""Finds the images of a run, and which of them already have a caption; 100,000 in a second.

At such numbers one more `Path` per file takes half a second, so names stay text where they can.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from core.batch.items import HAS_CAPTION, Item, ItemState
from core.batch.options import BatchOptions
from core.captions.formats import CaptionFormat
from core.captions.naming import CaptionNames
from core.captions.sidecar import NAME, Existing
from core.files import exists, is_folder
from core.message import translatable
from core.picture import FoundPictures, look_for_pictures


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
        is_pattern = not exists(root) and glob.has_magic(str(root))
        paths += (_matches(root) if is_pattern else []) or [root]
    return paths


def _matches(pattern: Path) -> list[Path]:
    parts = pattern.parts
    known, count = Path(), 0
    while count < len(parts) and exists(known / parts[count]):
        known /= parts[count]
        count += 1
    begin = glob.escape(str(known)) if count else ""
    rest = str(Path(*parts[count:]))
    names: set[str] = set()
    for each in (rest, rest.replace("[", "[[]")):
        # Not joined as paths, which would take the dots of “..” away.
        names.update(glob.glob(os.path.join(begin, each), recursive=True))  # noqa: PTH118, PTH207
    return [Path(name) for name in sorted(names)]


def planned(
    found: Sequence[Path], options: BatchOptions, names: CaptionNames, known: Mapping[str, Item]
) -> list[Item]:
    """Returns an item for each image; `known` has those that the run has dealt with, by path."""
    is_quick = (
        options.existing is Existing.SKIP
        and options.text_formats
        and CaptionFormat.XMP not in options.writes
        and not options.tables
    )
    items: list[Item] = []
    for path in found:
        item = known.get(str(path)) if known else None
        if item is None or item.state is ItemState.SKIPPED:
            item = Item(path)
            if is_quick and names.have_text(str(path)):
                item = Item(path, ItemState.SKIPPED, reason=HAS_CAPTION)
        items.append(item)
    return items


def sharing_names(items: Sequence[Item], names: CaptionNames) -> Iterator[tuple[int, str]]:
    """Yields the numbers of images without a caption of their own whose caption file is another
    image's too, as for a.jpg and a.png, with the reason for the user. An image that has been dealt
    with keeps its files; of the others, the first may write."""
    owners: dict[str, Path] = {}
    folders = {os.path.split(str(item.path))[0] for item in items}
    has_links = any(map(names.has_links, folders))
    for number, item in sorted(enumerate(items), key=lambda one: _is_open(one[1])):
        keys = names.file_keys(str(item.path), has_links=has_links)
        owner = next((owners[key] for key in keys if key in owners), None)
        if owner and _is_open(item):
            yield number, _shared(item.path, owner)
        else:
            owners.update((key, item.path) for key in keys if key not in owners)


def _is_open(item: Item) -> bool:
    return item.state in (ItemState.WAITING, ItemState.SKIPPED)


def _shared(picture: Path, owner: Path) -> str:
    if picture.name == owner.name:
        text = translatable(
            "core",
            "“{image}” and “{other}” are in the same folder, and would share a caption "
            "file. Leave out one of the two paths to it.",
        )
        return text.format(image=picture, other=owner)
    if picture.stem.casefold() == owner.stem.casefold():
        text = translatable(
            "core",
            "“{image}” and “{other}” would share a caption file. Name the captions {pattern}.",
        )
        return text.format(image=picture.name, other=owner.name, pattern=NAME)
    return translatable(
        "core",
        "“{image}” and “{other}” would share a caption file, because of a link or "
        "similar names. Rename one of the images, or replace the link with a file.",
    ).format(image=picture.name, other=owner.name)


def export_folder(roots: Sequence[Path]) -> Path:
    """Returns the folder for the tables of a run."""
    first = roots[0] if roots else Path.cwd()
    while not is_folder(first) and first != first.parent:
        first = first.parent
    return first
