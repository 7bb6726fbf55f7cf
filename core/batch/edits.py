"""Captions that a person writes, and undoing: one edit, or everything that a run has written."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.batch import changes, writing
from core.batch.changes import Change
from core.batch.damage import Damaged
from core.batch.events import Captioned, Edited, EditUndone, Written, changes_of
from core.batch.items import Item, ItemState
from core.batch.journal import read_events
from core.batch.ledger import Ledger, OnItem
from core.batch.replay import item_after_undo
from core.batch.run_events import UndoBegun, Undone
from core.errors import StoreError
from core.files import DiskFull, remove_partial


def edit_many(ledger: Ledger, captions: Mapping[int, str], on_item: OnItem) -> int:
    """Writes a person's captions, by item number, as one edit; returns how many were written.

    Items whose files cannot be written get a note. Raises DiskFull.
    """
    group = secrets.token_hex(4)
    count = 0
    for number, caption in captions.items():
        try:
            edit_one(ledger, number, caption, on_item, group)
            count += 1
        except DiskFull:
            raise
        except StoreError as error:
            ledger.note(str(error))
    return count


def edit_one(
    ledger: Ledger, number: int, caption: str, on_item: OnItem, group: str | None = None
) -> None:
    """Writes a person's caption into the image's files at once.

    Raises StoreError; then all of them are as before.
    """
    with ledger.disk:
        item = ledger.items[number]
        if item.state is ItemState.WORKING:  # Once the edit is undone, it waits for an answer.
            item = replace(item, state=ItemState.WAITING)
        # The row of a skipped image shows all that its files hold.
        is_added = ledger.options.adds_to_captions and item.state is not ItemState.SKIPPED
        by_hand = changes.ByHand(caption, item.caption if is_added else None, ledger.options)
        targets = ledger.names.targets(item.path)
        stored = [changes.change_by_hand(item.path, one, by_hand).stored() for one in targets]
        group = group or secrets.token_hex(4)
        edit = Edited(group, str(item.path), caption, item, tuple(stored))
        _write(ledger, edit, _undone(edit, item), on_item)


def undo_last_edit(ledger: Ledger, on_item: OnItem) -> int:
    """Undoes the last edit with its whole group; returns how many captions are as before it.

    A caption whose files somebody has changed since stays, and gets a note. Raises StoreError.
    """
    with ledger.disk:
        edits = ledger.replayed.edits
        last = [edit for edit in edits if edit.group == edits[-1].group]
        return sum(_undo_edit(ledger, edit, on_item) for edit in reversed(last))


def undo_run(ledger: Ledger, on_item: OnItem, *, keeps_edits: bool) -> list[Path]:
    """Undoes the whole run; see `Batch.undo`."""
    with ledger.disk:
        ledger.append_to_run(UndoBegun(keeps_edits))
        files, unknown = _changed_files(ledger)
        left = _undo_files(ledger, files, keeps_edits=keeps_edits)
        # What such a file held before is lost with a line of the journal.
        lost = {path: name for path, name in unknown.items() if path.exists()}
        left += sorted(lost.keys() - set(left))
        left += ledger.tables.remove()
        pictures = frozenset(one.picture for path in left for one in files.get(path, ()))
        pictures |= set(lost.values())
        ledger.append_to_run(Undone(tuple(left), pictures))
        for number, item in enumerate(ledger.items):
            if item.state is not ItemState.SKIPPED:
                after = item_after_undo(item, is_left=str(item.path) in pictures)
                ledger.set_item(number, after, on_item)
    return left


def _undo_edit(ledger: Ledger, edit: Edited, on_item: OnItem) -> bool:
    """Undoes one caption of an edit. Returns False if it stays, as somebody changed its files."""
    item = ledger.items[ledger.numbers[edit.picture]]
    backwards = [Change.from_stored(change).reversed() for change in edit.changes]
    is_ours = all(change.is_to_make for change in backwards)
    if not is_ours:
        ledger.note(f"“{item.path.name}” was changed since, and is left as it is.")
    after = (edit.before or Item(item.path)) if is_ours else item
    undone = _undone(edit, after) if is_ours else EditUndone(edit.group, edit.picture, after, ())
    _write(ledger, undone, edit, on_item)
    return is_ours


def _undone(edit: Edited, after: Item) -> EditUndone:
    """Returns the event that undoes an edit; `after` is the item since then."""
    backwards = (Change.from_stored(change).reversed().stored() for change in edit.changes)
    return EditUndone(edit.group, edit.picture, after, tuple(backwards))


def _write(
    ledger: Ledger, event: Edited | EditUndone, opposite: Edited | EditUndone, on_item: OnItem
) -> None:
    """Writes the journal before the files, which hold what the event was made from.

    If a file cannot be written, takes back what was, and says so in the journal: the opposite.
    """
    name = event.picture
    ledger.journal.append(event)
    ledger.tables.mark_old()
    try:
        writing.write_files(ledger, event, on_item)
    except StoreError:
        writing.take_back(event)
        ledger.journal.append(opposite, Written(name))
        ledger.replayed.unwritten.pop(name, None)
        raise
    ledger.replayed.note_edit(event)


@dataclass(frozen=True)
class _MadeChange:
    """A change that the run has made for an image; `is_by_run` unless a person made it."""

    picture: str
    change: Change
    is_by_run: bool


def _changed_files(ledger: Ledger) -> tuple[dict[Path, list[_MadeChange]], dict[Path, str]]:
    """Returns what happened to each file, the oldest first, and the files that a damaged line may
    be about, with their images. Raises StoreError."""
    files: dict[Path, list[_MadeChange]] = {}
    unknown: dict[Path, str] = {}
    for event in read_events(ledger.journal.path):
        if isinstance(event, Damaged):
            if event.picture and not event.is_harmless:
                targets = ledger.names.targets(Path(event.picture))
                unknown.update(dict.fromkeys(targets, event.picture))
            continue
        picture = getattr(event, "picture", "")
        for change in map(Change.from_stored, changes_of(event)):
            made = _MadeChange(picture, change, isinstance(event, Captioned))
            files.setdefault(change.path, []).append(made)
    return files, unknown


def _undo_files(
    ledger: Ledger, files: Mapping[Path, Sequence[_MadeChange]], *, keeps_edits: bool
) -> list[Path]:
    """Gives every file the content from before the run; returns those that were left."""
    edited = {str(item.path) for item in ledger.items if item.is_edited and keeps_edits}
    captioned = {one.picture for made in files.values() for one in made if one.is_by_run}
    kept = edited & captioned
    left: list[Path] = []
    trouble: StoreError | None = None
    for path, made in files.items():
        remove_partial(path)
        is_kept = any(one.picture in kept for one in made)
        try:
            if is_kept or not changes.undo_changes([one.change for one in made]):
                left.append(path)
        except StoreError as error:
            # The other files are restored nevertheless, and this one on the next try.
            trouble = trouble or error
    if trouble is not None:
        raise trouble
    return left
