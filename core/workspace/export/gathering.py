"""Reads from folders what is to be exported: the images and the captions beside them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from core.captions import xmp
from core.captions.alt_text import AltText, Archived
from core.captions.formats import CaptionFormat
from core.captions.naming import CaptionNames
from core.captions.sidecar import STEM
from core.errors import StoreError
from core.files import is_folder
from core.picture import picture_size
from core.workspace.caption_file import CaptionFile
from core.workspace.data import Failure
from core.workspace.export.items import ExportItem
from core.workspace.messages import as_message

CAPTION_FORMATS = (CaptionFormat.TXT, CaptionFormat.CAPTION, CaptionFormat.XMP)


@dataclass
class Gathered:
    """The images to export, and those whose captions cannot be read."""

    items: list[ExportItem] = field(default_factory=list[ExportItem])
    failures: list[Failure] = field(default_factory=list[Failure])


def gathered(
    pictures: Sequence[Path],
    root: Path,
    formats: Sequence[CaptionFormat] = CAPTION_FORMATS,
    pattern: str = STEM,
    on_item: Callable[[], None] = lambda: None,
    captions: Mapping[Path, str] | None = None,
) -> Gathered:
    """Returns the images with the first caption that a file of `formats` has, named from `root`;
    with `captions` these count instead, as of a table.

    Alternative texts and long descriptions come from XMP files, if these are among the formats.
    `on_item` is called after each image.
    """
    names = CaptionNames(pattern, formats, (root,), pictures)
    found = Gathered()
    for picture in pictures:
        try:
            caption = None if captions is None else captions.get(picture, "")
            found.items.append(_item(picture, root, names, caption))
        except StoreError as error:
            found.failures.append(Failure(picture, as_message(error.message)))
        on_item()
    return found


def _item(picture: Path, root: Path, names: CaptionNames, known: str | None) -> ExportItem:
    caption = known or ""
    texts = xmp.XmpTexts()
    for target in names.targets(picture):
        file = CaptionFile.read(target)
        caption = caption or ("" if known is not None else file.caption)
        if target.suffix.lower() == ".xmp":
            texts = xmp.read(file.data, target.name)
    width, height = picture_size(picture)
    archived = Archived.of(caption)
    alt = AltText.of(archived.description if archived.keywords else caption)
    return ExportItem(
        path=picture,
        name=relative_name(picture, root),
        caption=caption,
        width=width,
        height=height,
        alt_text=alt.text if alt.long_description else texts.alt_text,
        long_description=alt.long_description or texts.extended,
        is_decorative=alt.is_decorative,
        keywords=archived.keywords,
    )


def caption_beside(picture: Path) -> str:
    """Returns the first caption in the files beside an image; "" without one. Raises StoreError."""
    targets = CaptionNames(STEM, CAPTION_FORMATS, pictures=[picture]).targets(picture)
    return next(filter(None, (CaptionFile.read(target).caption for target in targets)), "")


def relative_name(picture: Path, root: Path) -> str:
    """Returns the path of an image from a folder, with `/`; its own name if it is elsewhere."""
    try:
        relative = os.path.relpath(picture, root)
    except ValueError:  # On another drive of Windows.
        return picture.name
    return picture.name if relative.startswith(os.pardir) else PurePath(relative).as_posix()


def common_root(paths: Iterable[Path]) -> Path:
    """Returns the folder that names are relative to: the deepest with all paths in it."""
    folders = [path if is_folder(path) else path.parent for path in paths]
    absolute = [os.path.abspath(folder) for folder in folders]  # noqa: PTH100 (keeps links)
    try:
        return Path(os.path.commonpath(absolute))
    except ValueError:
        return Path(absolute[0])
