"""Caption files that somebody else has changed since: noticed before an edit would replace them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from core.batch.changes import Change, caption_at, text_at
from core.batch.items import Item, ItemState
from core.batch.options import BatchOptions
from core.batch.targets import Target
from core.captions.sidecar import combined

# XML keeps no control characters, and line ends differ between systems.
_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True)
class Conflict:
    """An image whose caption file was left, because it does not hold what the run wrote there or
    what its row showed, but `found`. `caption` is what the file would have held instead, and
    `written` what a person wrote for it; "" where an edit was to be undone or redone."""

    number: int
    path: Path
    found: str
    caption: str
    written: str = ""


@dataclass(frozen=True)
class EditOutcome:
    """How many captions an edit, an undo or a redo has written, and which it left. `group` is what
    its edits have in common; those of `conflicts` can join it."""

    count: int = 0
    conflicts: tuple[Conflict, ...] = ()
    group: str = ""


def conflict_of_edit(
    number: int,
    item: Item,
    changes: list[Change],
    options: BatchOptions,
    *,
    written: str,
    shown: str | None,
) -> Conflict | None:
    """Returns the first file that an edit must not replace unasked.

    `written` is what the person wrote, and `shown` the text that they saw of an image without a
    caption of the run; with None it is not compared.
    """
    expected = item.caption if item.state is ItemState.DONE else shown
    if expected is None:
        return None
    adds = options.adds_to_captions and item.state is ItemState.DONE
    for change in changes:
        found = text_at(change.target, change.before)
        after = text_at(change.target, change.after)
        if not found or _is_same(found, after):
            continue
        if adds and options.drops_duplicates:
            continue  # The added tags cannot be distinguished from the rest, and all of them stay.
        if not _holds(found, expected, options, adds=adds):
            return Conflict(number, change.path, found, after, written)
    return None


def conflict_of_undo(number: int, changes: list[Change]) -> Conflict | None:
    """Returns the first file that does not hold what it held before these changes. Raises
    StoreError."""
    for change in changes:
        if not (change.is_to_make or change.is_made):
            found = text_at(change.target, change.current)
            return Conflict(number, change.path, found, text_at(change.target, change.after))
    return None


def other_text(item: Item, target: Target, options: BatchOptions) -> str | None:
    """Returns what a place holds that does not hold the caption which a run has for an image, ""
    for nothing; None where it does, or where that is not known. Raises StoreError."""
    adds = options.adds_to_captions
    if adds and options.drops_duplicates:
        return None  # The added tags cannot be distinguished from the rest.
    found = caption_at(target)
    return None if _holds(found, item.caption, options, adds=adds) else found


def _holds(found: str, caption: str, options: BatchOptions, *, adds: bool) -> bool:
    """Returns whether a text is a caption, or with `adds` has it among others."""
    if adds and combined(found, caption, options.existing, options.separator) == found:
        return True
    return _is_same(found, caption)


def _is_same(one: str, other: str) -> bool:
    return _SPACE.sub(" ", one).strip() == _SPACE.sub(" ", other).strip()
