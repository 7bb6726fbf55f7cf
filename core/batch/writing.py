"""The files of events: written, finished after a crash, or taken back where one cannot be.

Those of several events are written together, since a sync takes longer than all else: their new
contents are written beside them, the disk is synced once, and each takes its file's place in one
step. So after a power cut, too, every file is as it was before or as it is to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from core.batch.changes import Change
from core.batch.events import Captioned, Unused, Written
from core.batch.items import EDITED, Item, ItemState
from core.batch.ledger import Ledger, OnItem
from core.batch.replay import CaptionEvent, item_after
from core.errors import StoreError
from core.files import DiskFull, partial_path, remove_partial, sync_folder, write_error
from core.message import translatable
from core.syncing import sync_files

# So few are synced one by one: other programs' files need not be waited for.
_FEW = 3


def write_files(ledger: Ledger, event: CaptionEvent, on_item: OnItem) -> None:
    """Makes the changes of one event; see `write_all`. Raises StoreError, DiskFull among them."""
    for error in write_all(ledger, [event], on_item).values():
        raise error


def write_all(
    ledger: Ledger, events: Sequence[CaptionEvent], on_item: OnItem
) -> dict[str, StoreError]:
    """Makes the changes of events that are in the journal, and adds there that they are made.

    Changes that a killed process had made already are kept, and so is a file that somebody else has
    written since, with a note. Returns why those of some events could not be made, by the image's
    path; the event stays among `ReplayedRun.unwritten`, so that the next opening of the run
    finishes it. Raises DiskFull once the others are made; the items of captions wait for room, so
    none of their files are left.
    """
    unwritten = ledger.replayed.unwritten
    unwritten.update((event.picture, event) for event in events)
    writes = [_Writing(ledger, event) for event in events]
    errors: dict[str, StoreError] = {}
    is_few = sum(len(event.changes) for event in events) <= _FEW
    writes = _without_failed(writes, lambda one: one.prepare(is_durable=is_few), errors)
    if not is_few:
        writes = _synced(writes, errors)
    writes = _without_failed(writes, _Writing.put_in_place, errors)
    writes = _without_failed(writes, _folder_syncer(writes), errors)
    full = next((error for error in errors.values() if isinstance(error, DiskFull)), None)
    for event in events:
        if isinstance(errors.get(event.picture), DiskFull) and isinstance(event, Captioned):
            take_back(ledger, event)
    _note_written(ledger, writes, on_item)
    if full is not None:
        raise full
    return errors


class _Writing:
    """The files of one event on their way."""

    def __init__(self, ledger: Ledger, event: CaptionEvent):
        self._ledger, self.event = ledger, event
        rows = ledger.targets.rows
        self.changes = [Change.from_stored(stored, rows) for stored in event.changes]
        self._prepared: list[Change] = []
        self._made: list[bool] = []

    def prepare(self, *, is_durable: bool) -> None:
        """Writes the new contents of whole files beside them. Raises StoreError."""
        for change in self.changes:
            if not change.target.row and change.is_to_make:
                change.prepare(is_durable=is_durable)
                self._prepared.append(change)

    @property
    def unsynced(self) -> list[str]:
        """The files beside the others, which may not be on the disk yet."""
        return [str(partial_path(one.path)) for one in self._prepared if one.after is not None]

    def put_in_place(self) -> None:
        """Makes the changes, unless somebody else has written there. Raises StoreError."""
        for change in self.changes:
            is_made = True
            if not change.is_to_make:
                is_made = change.is_made
            elif change in self._prepared:
                change.put_in_place()
                self._prepared.remove(change)
            else:  # A row, or the file was another one a moment ago.
                change.make()
            self._made.append(is_made)
            if not is_made:
                self._ledger.note(_left_as_it_is(change.path))
        self.discard()

    def discard(self) -> None:
        """Removes the new contents that did not take their file's place."""
        for change in self._prepared:
            remove_partial(change.path)

    @property
    def is_left(self) -> bool:
        """Whether a caption is in none of its files, since somebody else has written all."""
        is_caption = isinstance(self.event, Captioned)
        return is_caption and bool(self._made) and not any(self._made)

    @property
    def line(self) -> Written | Unused:
        """What the journal says of it now."""
        if self.is_left and isinstance(self.event, Captioned):
            return Unused(self.event.picture, self.event.answers)
        return Written(self.event.picture, is_changed=not all(self._made))

    @property
    def item(self) -> Item:
        """The image since then."""
        item = item_after(self.event)
        if self.is_left:
            return replace(item, state=ItemState.SKIPPED, caption="", reason=EDITED)
        return item if all(self._made) else replace(item, is_edited=True)


def _left_as_it_is(path: Path) -> str:
    text = translatable("core", "“{name}” was changed meanwhile, and is left as it is.")
    return text.format(name=path.name)


def _without_failed(
    writes: Iterable[_Writing],
    act: Callable[[_Writing], None],
    errors: dict[str, StoreError],
) -> list[_Writing]:
    """Returns those for which `act` succeeds, and adds why it does not for others."""
    done: list[_Writing] = []
    for one in writes:
        try:
            act(one)
        except StoreError as error:
            one.discard()
            errors[one.event.picture] = error
        else:
            done.append(one)
    return done


def _synced(writes: list[_Writing], errors: dict[str, StoreError]) -> list[_Writing]:
    """Brings the new contents to the disk; returns the writes of which they are there."""
    try:
        sync_files([path for one in writes for path in one.unsynced])
    except OSError as error:
        for one in writes:
            one.discard()
            path = one.changes[0].path if one.changes else Path(one.event.picture)
            errors[one.event.picture] = write_error(path, error)
        return []
    return writes


def _folder_syncer(writes: Sequence[_Writing]) -> Callable[[_Writing], None]:
    """Returns what brings the names of an event's files to the disk, each folder once. Raises
    StoreError."""
    left = {change.path.parent for one in writes for change in one.changes}

    def sync(one: _Writing) -> None:
        for change in one.changes:
            folder = change.path.parent
            if folder in left:
                try:
                    sync_folder(folder)
                except OSError as error:
                    raise write_error(change.path, error) from error
                left.discard(folder)

    return sync


def _note_written(ledger: Ledger, writes: Sequence[_Writing], on_item: OnItem) -> None:
    """Says in the journal and of the items that these are made."""
    replayed = ledger.replayed
    try:
        ledger.journal.append(*(one.line for one in writes), is_durable=False)
    except DiskFull:
        for one in writes:
            if isinstance(one.event, Captioned):
                take_back(ledger, one.event)
        raise
    for one in writes:
        name = one.event.picture
        del replayed.unwritten[name]
        if isinstance(one.event, Captioned):
            for index in range(len(one.event.answers)):
                replayed.answers.pop((name, index), None)
        ledger.set_item(ledger.numbers[name], one.item, on_item)


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
