"""Images that are gone from where they were, and look like one that is new: moved and rewritten at
once, they have neither the path nor the content that they were known by.

Looks prove nothing, as photos of one scene are alike: a person decides, and nothing is taken from
an image that is still there.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from PIL import Image

from core.file_identity import is_gone
from core.store import KeptPlace
from core.workspace.images import Images
from core.workspace.opening import failing
from core.workspace.records import Record, Records

# Of one shape, but for what rounding to whole pixels makes of it.
_MOST_STRETCHED = 0.02


@dataclass(frozen=True)
class Look:
    """What an image looks like: its width by its height, and its perceptual hash."""

    shape: float
    hash: int

    def is_like(self, other: Look) -> bool:
        """Returns whether both may show one image, scaled or saved in another way."""
        from core.workspace.duplicates import MOST_DIFFERENT_BITS  # numpy

        is_shaped = abs(self.shape / other.shape - 1) <= _MOST_STRETCHED
        differing = ((self.hash ^ other.hash) & (2**64 - 1)).bit_count()
        return is_shaped and differing <= MOST_DIFFERENT_BITS


def look_of(pixels: Image.Image) -> Look | None:
    """Returns the look of an upright image, or of its thumbnail; None for one without contrast."""
    from core.workspace.duplicates import perceptual_hash  # numpy

    found = perceptual_hash(pixels)
    return None if found is None else Look(pixels.width / pixels.height, found)


def gone_alike(pixels: Image.Image, path: str, places: Iterable[KeptPlace]) -> list[KeptPlace]:
    """Returns those of these places, but for `path`, where an image was that looked like this one
    and is known to be gone. Looks at their files, so it may take as long as a disk is away."""
    look = look_of(pixels)
    if look is None:
        return []
    gone = (one for one in places if str(one.path) != path and is_gone(str(one.path), one.volume))
    return [one for one in gone if (was := _look_in(one.thumbnail)) and look.is_like(was)]


def _look_in(encoded: bytes) -> Look | None:
    with suppress(OSError, ValueError):
        return look_of(Image.open(io.BytesIO(encoded), formats=("JPEG",)).convert("RGB"))
    return None


class Gone:
    """What is kept of images that are gone, for those that are their successors. Any thread may
    call it; raises StoreError."""

    def __init__(self, guard: threading.RLock, images: Images, records: Records):
        self._guard, self._images, self._records = guard, images, records

    def take_over(self, old: str, new: str) -> int | None:
        """Lets the image at `new` have the review, draft and note of the one that was at `old`,
        unless it has its own. Returns its id if so; None also if a scan has not found it yet, which
        finds what it has."""
        with self._guard, failing():
            known, record = self._records.get(new), self._records.get(old)
            has_own = known != Record() or self._records.note(new)
            if has_own or (record == Record() and not self._records.note(old)):
                return None
            with self._records.transaction():
                self._records.move(old, new)
                self._records.set_fingerprint(new)
            if (id := self._images.id_of_text(new)) is None:
                return None
            self._images.set_review(id, record.review)
            self._images.edited[id] = record.is_edited
            self._images.set_doubt(id, record.doubt)
            return id
