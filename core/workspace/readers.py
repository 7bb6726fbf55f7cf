"""Reads the captions of images from their sources: from the files beside them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.captions.naming import CaptionNames
from core.errors import StoreError
from core.message import translatable
from core.workspace.caption_file import CaptionFile
from core.workspace.images import CaptionState, Images


@dataclass(frozen=True)
class ReadCaption:
    """What the caption file of an image at `target` says, or the `problem` with it. `stamp` is the
    file's time in nanoseconds and its size; zeros for no file."""

    target: str = ""
    caption: str = ""
    problem: str = ""
    stamp: tuple[int, int] = (0, 0)

    def note(self, images: Images, id: int) -> None:
        """Notes it in the columns."""
        images.targets[id] = self.target
        if self.problem:
            images.set_unreadable(id, self.problem, self.stamp)
        else:
            images.set_caption(id, self.caption, self.stamp)


class CaptionReader:
    """Reads the captions of images. `owners` has the image that each caption file belongs to: of
    two images that would share one, the second has none."""

    def __init__(self, names: CaptionNames):
        self._names = names
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
        """Lets images keep the caption files that they have, should others come that share them."""
        for id in ids:
            if images.states[id] == CaptionState.PRESENT and images.targets[id]:
                self._owners.setdefault(images.targets[id], images.path_text(id))

    def read(self, images: Images, id: int) -> ReadCaption | None:
        """Reads the caption of an image; returns None if the file has not changed. Never raises."""
        target, stamp = images.targets[id], images.caption_stamps[id]
        is_present = images.states[id] == CaptionState.PRESENT
        is_own = is_present and self._owners.get(target) == images.path_text(id)
        if is_own and stamp_of(target) == stamp:
            return None
        found = self._found(images.path(id))
        is_known = images.states[id] in (CaptionState.PRESENT, CaptionState.NONE)
        is_same = (found.target, found.stamp) == (target, stamp) and not found.problem
        return None if is_known and is_same else found

    def _found(self, image: Path) -> ReadCaption:
        target, stamp = "", (0, 0)
        try:
            target = str(self.target(image))
            stamp = stamp_of(target)
            if stamp == (0, 0):
                return ReadCaption(target)
            return ReadCaption(target, CaptionFile.read(target).caption, stamp=stamp)
        except StoreError as error:
            return ReadCaption(target, problem=error.message, stamp=stamp)


def stamp_of(path: str) -> tuple[int, int]:
    """Returns when a file was changed, and its size; zeros if there is none, or it cannot be
    looked at."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return 0, 0
    return status.st_mtime_ns, status.st_size
