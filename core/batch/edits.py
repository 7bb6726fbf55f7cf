"""Captions by a person's hand in a run, and everything that takes back what was written."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from core.batch import files as batch_files
from core.batch.files import Change
from core.batch.history import item_after, item_record, undone
from core.batch.journal import Record, records
from core.batch.ledger import Hear, Ledger
from core.batch.options import Item, ItemState
from core.errors import StoreError
from core.files import DiskFull, remove_partial


def edit(ledger: Ledger, captions: Mapping[int, str], hear: Hear) -> int:
    """Write a person's captions, by their pictures' numbers, as one edit; gives how many.

    A picture whose files cannot be written is noted. Raises DiskFull.
    """
    group = secrets.token_hex(4)
    count = 0
    for number, caption in captions.items():
        try:
            edit_one(ledger, number, caption, hear, group)
            count += 1
        except DiskFull:
            raise
        except StoreError as error:
            ledger.note(str(error))
    return count


def edit_one(ledger: Ledger, number: int, caption: str, hear: Hear, group: str = "") -> None:
    """Write a person's caption beside the picture at once. Raises StoreError."""
    with ledger.disk:
        item = ledger.items[number]
        targets = ledger.options.targets(item.path)
        changes = [batch_files.by_hand(target, caption) for target in targets]
        record = {
            "kind": "edit",
            "group": group or secrets.token_hex(4),
            "picture": str(item.path),
            "caption": caption,
            "was": item_record(item),
            "files": [change.record() for change in changes],
        }
        _write(ledger, record, hear)


def take_back_edit(ledger: Ledger, hear: Hear) -> int:
    """Take back the last edit, all of it; gives how many captions are as before it.

    One whose files somebody has changed since stays, and is noted. Raises StoreError.
    """
    with ledger.disk:
        edits = ledger.past.edits
        last = [edit for edit in edits if edit.get("group") == edits[-1].get("group")]
        return sum(_take_back(ledger, edit, hear) for edit in reversed(last))


def take_back_run(ledger: Ledger, hear: Hear, *, keeps_edits: bool) -> list[Path]:
    """As `Batch.undo`."""
    with ledger.disk:
        ledger.journal.append({"kind": "undo"})
        ledger.past.is_undone = True
        left = _taken_back(ledger, keeps_edits)
        ledger.tables.remove()
        done = {"kind": "undone", "left": [str(path) for path in left]}
        ledger.journal.append(done)
        ledger.past.add(done, ledger.options)
        for number, item in enumerate(ledger.items):
            if item.state is not ItemState.SKIPPED:
                ledger.set(number, undone(item, left, ledger.options), hear)
    return left


def _take_back(ledger: Ledger, edit: Record, hear: Hear) -> bool:
    """One caption of an edit; False when it has to stay."""
    item = ledger.items[ledger.numbers[edit["picture"]]]
    changes = [Change.from_record(record).back() for record in edit["files"]]
    is_ours = all(change.is_to_make for change in changes)
    if not is_ours:
        ledger.note(f"“{item.path.name}” was changed since, and is left as it is.")
    before = edit.get("was") or item_record(Item(item.path))
    record = {
        "kind": "unedit",
        "group": edit.get("group"),
        "picture": edit["picture"],
        "was": before if is_ours else item_record(item),
        "files": [change.record() for change in changes] if is_ours else [],
    }
    _write(ledger, record, hear)
    return is_ours


def _write(ledger: Ledger, record: Record, hear: Hear) -> None:
    """Journal first, then the files, which are as they were found for it."""
    name = record["picture"]
    ledger.journal.append(record)
    for change in map(Change.from_record, record["files"]):
        change.make()
    ledger.past.unwritten.pop(name, None)
    ledger.past.note_edit(record)
    ledger.journal.append({"kind": "written", "picture": name}, is_durable=False)
    ledger.set(ledger.numbers[name], item_after(record), hear)
    ledger.are_tables_old = bool(ledger.tables.paths)


def _taken_back(ledger: Ledger, keeps_edits: bool) -> list[Path]:
    """Every file with what it held before the run, but for those that are given."""
    changes: dict[Path, list[Change]] = {}
    written: set[str] = set()
    for record in records(ledger.journal.path):
        if record["kind"] == "item":
            written.add(record["picture"])
        for change in map(Change.from_record, record.get("files", ())):
            changes.setdefault(change.path, []).append(change)
    kept: set[Path] = set()
    if keeps_edits:
        edited = (item for item in ledger.items if item.is_edited and str(item.path) in written)
        kept = {target for item in edited for target in ledger.options.targets(item.path)}
    left = []
    trouble: StoreError | None = None
    for path, made in changes.items():
        remove_partial(path)
        try:
            if path in kept or not batch_files.take_back(made):
                left.append(path)
        except StoreError as error:
            # The others are given back nevertheless, and this one when it is tried again.
            trouble = trouble or error
    if trouble is not None:
        raise trouble
    return left
