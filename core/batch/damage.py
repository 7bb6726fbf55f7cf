"""Lines of a journal that cannot be read: what is still known of them, and the sentence for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from core.batch.checksum import NO_PICTURE, picture_checksum, picture_checksum_in
from core.batch.items import Item, ItemState
from core.batch.kinds import Kind
from core.message import translatable

# Of a line that is damaged elsewhere, both are near its beginning.
_PICTURE = re.compile(rb'"picture": ?("(?:[^"\\]|\\.)*")')
_KIND = re.compile(rb'"kind": ?"(\w+)"')
# What these say changes no caption. An answer is asked for again, and what a person wrote elsewhere
# is found again.
_HARMLESS = {
    Kind.RUN,
    Kind.ANSWER,
    Kind.CHANGED,
    Kind.STOPPED,
    Kind.DOUBT,
    Kind.END,
    Kind.RETRY,
    Kind.CLOSED,
    Kind.RAN,
}


@dataclass(frozen=True, slots=True)
class Damaged:
    """A line that is no event. `picture` is "" if not even that can be read of it.

    `picture_checksum` is that of the image's path, "" in lines of version 0.1. `is_harmless` if no
    caption depends on the line.
    """

    line_number: int
    picture: str
    is_harmless: bool
    picture_checksum: str = ""

    @classmethod
    def of(cls, line: bytes, line_number: int) -> Damaged:
        """Returns what is still known of a line."""
        kind = found[1].decode() if (found := _KIND.search(line)) else ""
        picture, checksum = _picture_in(line), picture_checksum_in(line)
        if checksum and checksum != picture_checksum(picture):
            picture = ""
        return cls(line_number, picture, kind in _HARMLESS, checksum)

    @property
    def may_be_any_image(self) -> bool:
        """Returns whether an image's caption depends on the line, and nobody knows which one's."""
        is_about_run = self.picture_checksum == NO_PICTURE
        return not (self.picture or self.is_harmless or is_about_run)

    @property
    def item(self) -> Item:
        """Returns the image's state, as far as the journal goes."""
        return Item(
            Path(self.picture),
            ItemState.FAILED,
            reason=translatable(
                "core",
                "It is unknown what became of this image, since the run's journal is "
                "damaged. Check its caption, or retry it.",
            ),
        )

    @property
    def note(self) -> str:
        """Returns a sentence for the user."""
        return translatable(
            "core",
            "Line {number} of the run's journal is damaged, so the result of one image "
            "is unknown. Check the captions.",
        ).format(number=f"{self.line_number:,}")


class PictureNames:
    """Finds the image of a damaged line whose path is damaged, among the run's, by its checksum."""

    def __init__(self, pictures: Iterable[str]):
        self._pictures = pictures
        self._by_checksum: dict[str, str] | None = None

    def named(self, damaged: Damaged) -> Damaged:
        """Returns the line with the image that it is about, if that is known."""
        if damaged.picture or damaged.picture_checksum in ("", NO_PICTURE):
            return damaged
        if self._by_checksum is None:
            self._by_checksum = {picture_checksum(name): name for name in self._pictures}
        return replace(damaged, picture=self._by_checksum.get(damaged.picture_checksum, ""))


def _picture_in(line: bytes) -> str:
    found = _PICTURE.search(line)
    try:
        picture = json.loads(found[1]) if found else ""
    except ValueError:
        return ""
    return picture if "\0" not in picture else ""
