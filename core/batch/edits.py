"""Captions that a person writes, undone and redone; undoing everything that a run has written."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from core.batch import changes, writing
from core.batch.changes import Change
from core.batch.conflicts import Conflict, EditOutcome, conflict_of_edit, conflict_of_undo
from core.batch.damage import Damaged, PictureNames
from core.batch.events import Adopted, Captioned, Edited, EditUndone, Written, changes_of
from core.batch.items import Item, ItemState
from core.batch.journal import read_events
from core.batch.ledger import Ledger, OnItem
from core.batch.replay import item_after_undo
from core.batch.run_events import UndoBegun, Undone
from core.batch.targets import Target
from core.errors import StoreError
from core.files import DiskFull, exists, is_folder, remove_partial, why_away


def edit_many(
    ledger: Ledger,
    captions: Mapping[int, str],
    on_item: OnItem,
    *,
    shown: Mapping[int, str] | None = None,
    overwrites: bool = False,
    group: str = "",
) -> EditOutcome:
    """Writes a person's captions, by item number, as one edit; see `edit_one`.

    Items whose files cannot be written get a note. Raises DiskFull.
    """
    group = group or secrets.token_hex(4)
    count = 0
    conflicts: list[Conflict] = []
    for number, caption in captions.items():
        was = None if shown is None else shown.get(number, "")
        try:
            outcome = edit_one(
                ledger, number, caption, on_item, shown=was, overwrites=overwrites, group=group
            )
        except DiskFull:
            raise
        except StoreError as error:
            ledger.note(error.message)
        else:
            count += outcome.count
            conflicts += outcome.conflicts
    return EditOutcome(count, tuple(conflicts), group)


def edit_one(
    ledger: Ledger,
    number: int,
    caption: str,
    on_item: OnItem,
    *,
    shown: str | None = None,
    overwrites: bool = False,
    group: str = "",
    recipe: str = "",
) -> EditOutcome:
    """Writes a person's caption into the image's files at once, or one by the model, whose
    `recipe` is given.

    Unless it `overwrites`, a file that holds neither the run's caption nor what the person saw,
    `shown`, is left as it is, and so are the image's other files. Raises StoreError; then all of
    them are as before.
    """
    group = group or secrets.token_hex(4)
    with ledger.disk:
        item = ledger.items[number]
        if item.state is ItemState.WORKING:  # Once the edit is undone, it waits for an answer.
            item = replace(item, state=ItemState.WAITING)
        # The row of a skipped image shows all that its files hold.
        is_added = ledger.options.adds_to_captions and item.state is not ItemState.SKIPPED
        by_hand = changes.ByHand(caption, item.caption if is_added else None, ledger.options)
        targets = ledger.targets.of(item.path)
        to_make = [changes.change_by_hand(item.path, one, by_hand) for one in targets]
        conflict = conflict_of_edit(
            number, item, to_make, ledger.options, written=caption, shown=shown
        )
        if conflict and not overwrites:
            return EditOutcome(0, (conflict,), group)
        before = item
        if conflict and item.state is ItemState.DONE:  # Undoing brings the file's text back.
            before = replace(item, caption=conflict.found, is_edited=True)
        stored = tuple(change.stored() for change in to_make)
        edit = Edited(group, str(item.path), caption, before, stored, recipe=recipe)
        _write(ledger, edit, _undone(edit, before), on_item)
    return EditOutcome(1, (), group)


def undo_last_edit(
    ledger: Ledger, on_item: OnItem, *, overwritten: Collection[int] = ()
) -> EditOutcome:
    """Undoes the last edit with its whole group.

    A caption whose files somebody has changed since stays, and can be undone by another call that
    names its number among `overwritten`. Raises StoreError.
    """
    _require_place(ledger)
    with ledger.disk:
        edits = ledger.replayed.edits
        last = [edit for edit in edits if edit.group == edits[-1].group]
        return _all(ledger, reversed(last), _undo_edit, on_item, overwritten)


def redo_last_edit(
    ledger: Ledger, on_item: OnItem, *, overwritten: Collection[int] = ()
) -> EditOutcome:
    """Makes the edit again that was undone last, with its whole group; as `undo_last_edit`."""
    _require_place(ledger)
    with ledger.disk:
        edits = ledger.replayed.undone_edits
        last = [edit for edit in edits if edit.group == edits[-1].group]
        return _all(ledger, reversed(last), _redo_edit, on_item, overwritten)


def adopt(ledger: Ledger, conflicts: Iterable[Conflict], on_item: OnItem) -> None:
    """Makes the text that somebody else has written the caption of each image that has one of the
    run. What a person wrote for it can be redone, all of it together. Raises StoreError."""
    group = secrets.token_hex(4)
    with ledger.disk:
        for conflict in conflicts:
            item = ledger.items[conflict.number]
            if item.state is ItemState.DONE:
                event = Adopted(str(item.path), conflict.found)
                ledger.journal.append(event)
                ledger.tables.mark_old()
                item = ledger.replayed.adopt(item, event)
            ledger.set_item(conflict.number, item, on_item)
            if conflict.written:
                _keep_for_redo(ledger, conflict, group)


def _keep_for_redo(ledger: Ledger, conflict: Conflict, group: str) -> None:
    """Notes in the journal an edit that was made and undone at once, which changes no file."""
    item = ledger.items[conflict.number]
    is_added = ledger.options.adds_to_captions and item.state is ItemState.DONE
    added = item.caption if is_added else None
    by_hand = changes.ByHand(conflict.written, added, ledger.options)
    targets = ledger.targets.of(item.path)
    to_make = [changes.change_by_hand(item.path, target, by_hand).stored() for target in targets]
    edit = Edited(group, str(item.path), conflict.written, item, tuple(to_make))
    undone = _undone(edit, item, can_be_redone=True)
    ledger.journal.append(edit, undone, Written(edit.picture))
    ledger.replayed.note_edit(edit)
    ledger.replayed.note_edit(undone)


def undo_run(ledger: Ledger, on_item: OnItem, *, keeps_edits: bool) -> list[Path]:
    """Undoes the whole run; see `Batch.undo`."""
    _require_place(ledger)
    with ledger.disk:
        ledger.append_to_run(UndoBegun(keeps_edits))
        files, unknown = _changed_files(ledger)
        left = _undo_files(ledger, files, keeps_edits=keeps_edits)
        # What such a file held before is lost with a line of the journal.
        lost = {one: name for one, name in unknown.items() if _is_there(one)}
        pictures = frozenset(one.picture for target in left for one in files.get(target, ()))
        pictures |= set(lost.values())
        paths = dict.fromkeys([target.path for target in left])
        paths |= dict.fromkeys(sorted({target.path for target in lost} - paths.keys()))
        paths |= dict.fromkeys(ledger.tables.remove())
        ledger.append_to_run(Undone(tuple(paths), pictures))
        for number, item in enumerate(ledger.items):
            if item.state not in (ItemState.SKIPPED, ItemState.WAITING):
                after = item_after_undo(item, is_left=str(item.path) in pictures)
                ledger.set_item(number, after, on_item)
    return list(paths)


def _require_place(ledger: Ledger) -> None:
    """Raises StoreError for a folder that is not there: files that cannot be seen would be taken
    for those that are gone, or that somebody has changed."""
    for root in ledger.roots:
        away = None if exists(root) and not is_folder(root) else why_away(root)
        if away is not None:
            raise StoreError(away)


class _Act(Protocol):
    def __call__(
        self, ledger: Ledger, edit: Edited, on_item: OnItem, *, overwrites: bool
    ) -> Conflict | None: ...


def _all(
    ledger: Ledger,
    edits: Iterable[Edited],
    act: _Act,
    on_item: OnItem,
    overwritten: Collection[int],
) -> EditOutcome:
    """Undoes or redoes these edits of one group."""
    count = 0
    conflicts: list[Conflict] = []
    for edit in edits:
        overwrites = ledger.numbers[edit.picture] in overwritten
        if conflict := act(ledger, edit, on_item, overwrites=overwrites):
            conflicts.append(conflict)
        else:
            count += 1
    return EditOutcome(count, tuple(conflicts))


def _undo_edit(
    ledger: Ledger, edit: Edited, on_item: OnItem, *, overwrites: bool
) -> Conflict | None:
    """Undoes one caption of an edit. Returns why it stays, if somebody has changed its files."""
    backwards = [change.reversed() for change in _changes(ledger, edit)]
    number = ledger.numbers[edit.picture]
    if conflict := conflict_of_undo(number, backwards):
        if not overwrites:
            return conflict
        backwards = [_over(ledger, number, change) for change in backwards]
    after = edit.before or Item(Path(edit.picture))
    stored = tuple(change.stored() for change in backwards)
    undone = EditUndone(edit.group, edit.picture, after, stored, can_be_redone=True)
    _write(ledger, undone, replace(edit, is_redone=True), on_item)
    return None


def _redo_edit(
    ledger: Ledger, edit: Edited, on_item: OnItem, *, overwrites: bool
) -> Conflict | None:
    """Makes one caption of an edit again. Returns why not, if somebody has changed its files."""
    number = ledger.numbers[edit.picture]
    forwards = _changes(ledger, edit)
    before = ledger.items[number]
    if conflict := conflict_of_undo(number, forwards):
        if not overwrites:
            return conflict
        forwards = [_over(ledger, number, change) for change in forwards]
        if before.state is ItemState.DONE:
            before = replace(before, caption=conflict.found, is_edited=True)
    stored = tuple(change.stored() for change in forwards)
    redone = replace(edit, before=before, changes=stored, is_redone=True)
    _write(ledger, redone, _undone(redone, before, can_be_redone=True), on_item)
    return None


def _over(ledger: Ledger, number: int, change: Change) -> Change:
    """Returns the change that puts the text of another one into what the file holds now, in the
    place of the text there."""
    if change.is_to_make or change.is_made:
        return change
    text = changes.text_at(change.target, change.after)
    by_hand = changes.ByHand(text, None, ledger.options)
    return changes.change_by_hand(ledger.items[number].path, change.target, by_hand)


def _changes(ledger: Ledger, edit: Edited) -> list[Change]:
    return [Change.from_stored(change, ledger.targets.rows) for change in edit.changes]


def _undone(edit: Edited, after: Item, *, can_be_redone: bool = False) -> EditUndone:
    """Returns the event that undoes an edit; `after` is the item since then."""
    backwards = (replace(one, before=one.after, after=one.before) for one in edit.changes)
    return EditUndone(edit.group, edit.picture, after, tuple(backwards), can_be_redone)


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
        writing.take_back(ledger, event)
        ledger.journal.append(opposite, Written(name))
        ledger.replayed.unwritten.pop(name, None)
        raise
    ledger.replayed.note_edit(event)


def _is_there(target: Target) -> bool:
    try:
        return target.content() is not None
    except StoreError:  # As a link that leads elsewhere.
        return target.path.exists()


@dataclass(frozen=True)
class _MadeChange:
    """A change that the run has made for an image; `is_by_run` unless a person made it."""

    picture: str
    change: Change
    is_by_run: bool


def _changed_files(
    ledger: Ledger,
) -> tuple[dict[Target, list[_MadeChange]], dict[Target, str]]:
    """Returns what happened to each file, the oldest first, and the files that a damaged line may
    be about, with their images. Raises StoreError."""
    files: dict[Target, list[_MadeChange]] = {}
    unknown: dict[Target, str] = {}
    names = PictureNames(ledger.numbers)
    for event in read_events(ledger.journal.path):
        if isinstance(event, Damaged):
            event = names.named(event)
            if event.picture and not event.is_harmless:
                targets = ledger.targets.of(Path(event.picture))
                unknown.update(dict.fromkeys(targets, event.picture))
            continue
        picture = getattr(event, "picture", "")
        for stored in changes_of(event):
            change = Change.from_stored(stored, ledger.targets.rows)
            made = _MadeChange(picture, change, isinstance(event, Captioned))
            files.setdefault(change.target, []).append(made)
    return files, unknown


def _undo_files(
    ledger: Ledger, files: Mapping[Target, Sequence[_MadeChange]], *, keeps_edits: bool
) -> list[Target]:
    """Gives every file the content from before the run; returns those that were left."""
    edited = {str(item.path) for item in ledger.items if item.is_edited and keeps_edits}
    captioned = {one.picture for made in files.values() for one in made if one.is_by_run}
    kept = edited & captioned
    left: list[Target] = []
    rows: list[list[Change]] = []
    trouble: StoreError | None = None
    for target, made in files.items():
        remove_partial(target.path)
        is_kept = any(one.picture in kept for one in made)
        if target.row and not is_kept:
            rows.append([one.change for one in made])
            continue
        try:
            if is_kept or not changes.undo_changes([one.change for one in made]):
                left.append(target)
        except StoreError as error:
            # The other files are restored nevertheless, and this one on the next try.
            trouble = trouble or error
    try:
        left += changes.undo_rows(rows, ledger.targets.rows)
    except StoreError as error:
        trouble = trouble or error
    if trouble is not None:
        raise trouble
    return left
