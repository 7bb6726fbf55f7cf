"""Lines of a journal that cannot be read: what is still known of them, and the sentence for it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from core.batch.items import Item, ItemState
from core.batch.kinds import Kind
from core.message import translatable

# Of a line that is damaged elsewhere, both are near its beginning.
_PICTURE = re.compile(rb'"picture": ?("(?:[^"\\]|\\.)*")')
_KIND = re.compile(rb'"kind": ?"(\w+)"')
# What these say changes no caption. An answer is asked for again.
_HARMLESS = {
    Kind.RUN,
    Kind.ANSWER,
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

    `is_harmless` if no caption depends on the line.
    """

    line_number: int
    picture: str
    is_harmless: bool

    @classmethod
    def of(cls, line: bytes, line_number: int) -> Damaged:
        """Returns what is still known of a line."""
        kind = found[1].decode() if (found := _KIND.search(line)) else ""
        return cls(line_number, _picture_in(line), kind in _HARMLESS)

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


def _picture_in(line: bytes) -> str:
    found = _PICTURE.search(line)
    try:
        picture = json.loads(found[1]) if found else ""
    except ValueError:
        return ""
    return picture if "\0" not in picture else ""
