"""What an edit of many captions would do, before it is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.captions.wording import Replaced
from core.workspace.bulk import Operation, Replace, change_of
from core.workspace.data import CaptionMode
from core.workspace.images import CaptionState, Images


@dataclass(frozen=True)
class Change:
    """An image, by its id and the name of its file, and its caption before and after."""

    id: int
    name: str
    caption: Replaced


@dataclass(frozen=True)
class Preview:
    """How many captions an edit changes and leaves as they are; the first ones that it changes.
    `unread` captions are not read yet, so that it would leave them out."""

    changed: int = 0
    unchanged: int = 0
    unread: int = 0
    first: tuple[Change, ...] = ()

    def with_more(self, other: Preview) -> Preview:
        """Returns it with what was found in further images."""
        return Preview(
            self.changed + other.changed,
            self.unchanged + other.unchanged,
            self.unread + other.unread,
            self.first + other.first,
        )


def previewed(
    images: Images, ids: Iterable[int], operation: Operation, mode: CaptionMode, most: int
) -> Preview:
    """Returns what the operation would do to these captions, with at most `most` of them shown.

    Raises bulk.PatternError, also if no caption matches.
    """
    if isinstance(operation, Replace):
        operation.begin()
    changed = unchanged = unread = 0
    first: list[Change] = []
    for id in ids:
        if id not in images:
            continue
        if images.states[id] == CaptionState.UNREAD:
            unread += 1
            continue
        caption = images.captions[id]
        if len(first) < most:
            change = change_of(operation, caption, mode)
            if change:
                first.append(Change(id, images.path(id).name, change))
            is_changed = change is not None
        else:
            is_changed = operation.apply(caption, mode) != caption
        changed += is_changed
        unchanged += not is_changed
    return Preview(changed, unchanged, unread, tuple(first))
