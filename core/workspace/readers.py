"""Reads the captions of images, and says how another caption is to be stored: in the files beside
the images, or in tables (`table_reader`)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.captions.naming import CaptionNames
from core.captions.stamps import stamp_of
from core.captions.table import TableLine
from core.errors import StoreError
from core.message import translatable
from core.workspace.actions import StepKind
from core.workspace.caption_file import CaptionFile
from core.workspace.images import CaptionState, Images


@dataclass(frozen=True)
class ReadCaption:
    """What the caption file of an image at `target` says, or the `problem` with it. `stamp` is the
    file's time in nanoseconds and its size; zeros for no file. `known` are the target and the stamp
    that the columns had before it was read, if they may have others by now."""

    target: str = ""
    caption: str = ""
    problem: str = ""
    stamp: tuple[int, int] = (0, 0)
    known: tuple[str, tuple[int, int]] | None = None

    def note(self, images: Images, id: int) -> None:
        """Notes it in the columns, unless an edit has come between."""
        if self.known not in (None, (images.targets[id], images.stamp(id))):
            return
        images.targets[id] = self.target
        if self.problem:
            images.set_unreadable(id, self.problem, self.stamp)
        else:
            images.set_caption(id, self.caption, self.stamp)


@dataclass(frozen=True)
class CaptionChange:
    """How a caption is to be stored: what the file at `path`, or the image's row in it, holds
    `before` and `after`, and the caption that it has now."""

    path: str
    kind: StepKind
    before: bytes | None
    after: bytes | None
    caption: str


@dataclass(frozen=True)
class LineMove:
    """A row of the table at `path` that goes, comes, or is another after an image was moved;
    `image` is the one that it is about then, or was about."""

    image: str
    path: str
    before: TableLine | None
    after: TableLine | None


class NotedCaption(Protocol):
    """What was read of an image."""

    def note(self, images: Images, id: int) -> None:
        """Notes it in the columns."""
        ...


class CaptionReader(Protocol):
    """Where the captions of a workspace are. Used from any thread."""

    def claim(self, images: Images, ids: Iterable[int]) -> None:
        """Lets images keep the caption files that they have, should others come that share them."""
        ...

    def read(self, images: Images, id: int) -> NotedCaption | None:
        """Reads the caption of an image; returns None if it has not changed. Never raises."""
        ...

    def change(self, images: Images, id: int, caption: str) -> CaptionChange:
        """Returns how another caption is to be stored. Raises StoreError."""
        ...

    def caption_in(self, path: str, data: bytes | None) -> str:
        """Returns the caption in a file beside an image that has this content. Raises
        StoreError."""
        ...

    def moved(self, image: str, target: str | None) -> list[LineMove]:
        """Returns what becomes of an image's row in a table where the image goes to `target`, or to
        the trash for None. Raises StoreError."""
        ...


class SidecarReader:
    """Reads the captions beside images. `owners` has the image that each caption file belongs to:
    of two images that would share one, the second has none."""

    def __init__(self, names: CaptionNames, *, are_keywords: bool = False):
        """With `are_keywords` the captions of XMP files are their keywords."""
        self._names = names
        self._are_keywords = are_keywords
        self._owners: dict[str, str] = {}

    def target(self, image: Path) -> Path:
        """Returns the caption file of an image. Raises StoreError if it is another image's too, and
        ValueError if the pattern makes no file name."""
        path = self._names.targets(image)[0]
        owner = self._owners.setdefault(str(path), str(image))
        if owner != str(image):
            text = translatable(
                "core",
                "“{image}” and “{other}” would share a caption file. Rename one of the images.",
            )
            raise StoreError(text.format(image=image.name, other=Path(owner).name))
        return path

    def claim(self, images: Images, ids: Iterable[int]) -> None:
        """See `CaptionReader.claim`."""
        for id in ids:
            if images.states[id] == CaptionState.PRESENT and images.targets[id]:
                self._owners.setdefault(images.targets[id], images.path_text(id))

    def read(self, images: Images, id: int) -> ReadCaption | None:
        """See `CaptionReader.read`."""
        target, stamp = images.targets[id], images.stamp(id)
        is_present = images.states[id] == CaptionState.PRESENT
        is_own = is_present and self._owners.get(target) == images.path_text(id)
        if is_own and stamp_of(target) == stamp:
            return None
        found = self._found(images.path(id), (target, stamp))
        if is_present and found.stamp == (0, 0) and not os.path.lexists(images.path_text(id)):
            return None  # As where a disk is not connected any more: the scan finds that out.
        is_known = images.states[id] in (CaptionState.PRESENT, CaptionState.NONE)
        is_same = (found.target, found.stamp) == (target, stamp) and not found.problem
        return None if is_known and is_same else found

    def change(self, images: Images, id: int, caption: str) -> CaptionChange:
        """See `CaptionReader.change`."""
        image = images.path_text(id)
        target = images.targets[id] or str(self.target(Path(image)))
        file = CaptionFile.read(target, are_keywords=self._are_keywords)
        after = file.with_caption(caption, image.rpartition(".")[2])
        return CaptionChange(target, StepKind.CONTENT, file.data, after, file.caption)

    def caption_in(self, path: str, data: bytes | None) -> str:
        """See `CaptionReader.caption_in`."""
        return CaptionFile.of(path, data, are_keywords=self._are_keywords).caption

    def moved(self, image: str, target: str | None) -> list[LineMove]:
        """See `CaptionReader.moved`: the files beside an image go with it."""
        return []

    def _found(self, image: Path, known: tuple[str, tuple[int, int]]) -> ReadCaption:
        target, stamp = "", (0, 0)
        try:
            target = str(self.target(image))
            stamp = stamp_of(target)
            if stamp == (0, 0):
                return ReadCaption(target, known=known)
            file = CaptionFile.read(target, are_keywords=self._are_keywords)
            return ReadCaption(target, file.caption, stamp=stamp, known=known)
        except StoreError as error:
            return ReadCaption(target, problem=error.message, stamp=stamp, known=known)
