"""The captions that images have beside them already, read as a run with some options would."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from core.batch.changes import existing_caption
from core.batch.options import BatchOptions
from core.batch.targets import CaptionTargets
from core.errors import StoreError


class CaptionsBeside:
    """Reads the captions of images before there is a run. May be used from any thread.

    Making one goes through all names of images, so 100,000 take some 100 ms.
    """

    def __init__(self, options: BatchOptions, roots: Iterable[Path], pictures: Sequence[Path]):
        self._targets = CaptionTargets(options, roots, pictures)

    def read(self, picture: Path) -> str:
        """Returns the first caption in the files beside an image; "" if there is none, if it cannot
        be read, or if the options make no file name."""
        try:
            return existing_caption(self._targets.of(picture))
        except (StoreError, ValueError):
            return ""
