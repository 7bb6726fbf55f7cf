"""The files of one event: written, finished after a crash, or taken back where one cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from core.batch.changes import Change
from core.batch.events import Captioned, Unused, Written
from core.batch.items import EDITED, Item, ItemState
from core.batch.ledger import Ledger, OnItem
from core.batch.replay import CaptionEvent, item_after
from core.errors import StoreError
from core.files import DiskFull, remove_partial
from core.message import translatable


def write_files(ledger: Ledger, event: CaptionEvent, on_item: OnItem) -> None:
    """Makes the changes of an event that is in the journal, and adds there that they are made.

    Changes that a killed process had made already are kept, and so is a file that somebody else has
    written since, with a note. Raises StoreError, DiskFull among them; then the event stays among
    `ReplayedRun.unwritten`, so that the next opening of the run finishes it. The item of a caption
    waits for that after DiskFull, so none of its files are left.
    """
    name = event.picture
    ledger.replayed.unwritten[name] = event
    try:
        item = _make_all(ledger, event)
    except DiskFull:
        if isinstance(event, Captioned):
            take_back(ledger, event)
        raise
    del ledger.replayed.unwritten[name]
    if isinstance(event, Captioned):
        for index in range(len(event.answers)):
            ledger.replayed.answers.pop((name, index), None)
    ledger.set_item(ledger.numbers[name], item, on_item)


def write_rows(ledger: Ledger, events: Sequence[CaptionEvent]) -> None:
    """Makes the changes of events to rows of tables, each table in one step: `write_files` finds
    them made. What cannot be written is left to it. Raises DiskFull."""
    rows: list[Change] = []
    for stored in (change for event in events for change in event.changes if change.row):
        change = Change.from_stored(stored, ledger.targets.rows)
        with suppress(StoreError):
            if change.is_to_make:
                rows.append(change)
    try:
        ledger.targets.rows.put([(one.target, one.before, one.after) for one in rows])
    except DiskFull:
        raise
    except StoreError:
        return


def take_back(ledger: Ledger, event: CaptionEvent) -> None:
    """Undoes those changes of an event that were made before one failed, as far as possible."""
    for stored in reversed(event.changes):
        change = Change.from_stored(stored, ledger.targets.rows)
        try:
            if change.is_made and not change.is_to_make:
                change.reversed().make()
        except StoreError:
            continue  # It is the file that cannot be written.


def clear_partial_files(event: CaptionEvent) -> None:
    """Removes what a killed process left of the files of an event that it was writing."""
    for stored in event.changes:
        remove_partial(Path(stored.path))


def _make_all(ledger: Ledger, event: CaptionEvent) -> Item:
    """Makes the changes of an event, says so in the journal, and returns the item since then."""
    rows = ledger.targets.rows
    made = [_make(ledger, Change.from_stored(stored, rows)) for stored in event.changes]
    item = item_after(event)
    if isinstance(event, Captioned) and made and not any(made):
        ledger.journal.append(Unused(event.picture, event.answers), is_durable=False)
        return replace(item, state=ItemState.SKIPPED, caption="", reason=EDITED)
    ledger.journal.append(Written(event.picture, is_changed=not all(made)), is_durable=False)
    return item if all(made) else replace(item, is_edited=True)


def _make(ledger: Ledger, change: Change) -> bool:
    """Makes a change unless it is made. Returns False if somebody else has written there."""
    if change.is_to_make:
        change.make()
    elif not change.is_made:
        text = translatable("core", "“{name}” was changed meanwhile, and is left as it is.")
        ledger.note(text.format(name=change.path.name))
        return False
    return True
