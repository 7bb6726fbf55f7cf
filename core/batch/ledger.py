"""The items of one run, its open journal and its tables: what all parts of a run share."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from core.batch import continued, export
from core.batch.damage import Damaged, PictureNames
from core.batch.find import found_pictures, planned, sharing_names
from core.batch.history import next_number, read_begin
from core.batch.items import Item, ItemState, tally_of
from core.batch.journal import SUFFIX, Journal, read_events
from core.batch.options import BatchOptions
from core.batch.replay import ReplayedRun
from core.batch.run_events import Begun, Closed, Ended, Ran, Retried, Started, UndoBegun, Undone
from core.batch.stored import StoredTable
from core.batch.tables import Tables
from core.batch.targets import CaptionTargets
from core.captions.formats import CaptionFormat
from core.captions.sidecar import Existing
from core.errors import StoreError
from core.message import translatable
from core.picture import FoundPictures
from core.version import program_version
from core.write_lock import WriteLock

OnItem = Callable[[int, Item], None]
"""Called with an item's number and its new state, in whatever thread changed it."""


def ignore(*_: Any) -> None:
    """An `OnItem` for those who need not know."""


class Ledger:
    """One run's items, by their numbers, with its open journal and its tables.

    `items` may be read from any thread. Whoever writes caption files, and the journal lines about
    them, holds `disk` meanwhile; everything else here is a single step. `replayed` is what the
    journal says beyond the items.
    """

    def __init__(self, journal: Journal, begun: Begun, pictures: Sequence[Path]):
        """Use `begin` or `resume`. `pictures` are the images found."""
        self.roots, self.options = begun.roots, begun.options
        self.began = begun.when.timestamp()
        self.targets = CaptionTargets(begun.options, begun.roots, pictures, begun.rows)
        self.names = self.targets.names
        self.items: list[Item] = []
        self.notes: list[str] = []
        self.numbers: dict[str, int] = {}
        self.sharing_count = 0
        self.replayed = ReplayedRun()
        self.journal = journal
        self.tables = Tables(
            begun.tables,
            begun.options,
            journal.path,
            self.note,
            begun.earlier,
            is_early=begun.number is None,
            unwritten=self.replayed.unwritten,
        )
        self.disk = WriteLock(journal.path.parent)
        self._setting = threading.RLock()

    @classmethod
    def begin(cls, roots: Iterable[Path], options: BatchOptions, journals: Path) -> Ledger:
        """Finds the images and begins a journal; see `Batch.begin`."""
        options.checked()
        roots = [root.absolute() for root in roots]
        found = found_pictures(roots, options)
        # A folder without images keeps no empty tables.
        formats = options.table_formats if found.pictures else ()
        rows = _rows_at_start(options, roots, found)
        now = datetime.now(UTC)
        path = journals / f"{now:%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}{SUFFIX}"
        journal = Journal(path)
        with WriteLock(journals):  # No other run takes the same number and the same tables.
            number = next_number(journals)
            tables, earlier = continued.tables_of(roots, formats, options, journals)
            begun = Begun(
                program_version(), now, tuple(roots), options, tables, number, earlier, rows
            )
            ledger = cls(journal, begun, found.pictures)
            journal.append(begun)
            for table in tables.values():
                export.reserve(table)
        ledger.tables.mark_old()
        ledger._plan(found)
        return ledger

    @classmethod
    def resume(cls, path: Path) -> Ledger:
        """Opens a journal and replays it; see `Batch.resume`."""
        begun = read_begin(path)
        if begun is None:
            raise StoreError(
                translatable("core", "This run's journal is damaged. Start the run again.")
            )
        found = found_pictures(begun.roots, begun.options)
        ledger = cls(Journal(path), begun, found.pictures)
        try:
            ledger._leave_tables(continued.continued_by_later(path, begun))
            ledger._replay(path, found)
        except BaseException:
            ledger.journal.close()
            raise
        return ledger

    def append_to_run(self, event: Started | Ran | Ended | Retried | UndoBegun | Undone) -> None:
        """Adds to the journal what happened to the run as a whole. Raises StoreError."""
        self.journal.append(event)
        self.replayed.add(event, self.names)

    def set_item(self, number: int, item: Item, on_item: OnItem) -> None:
        """Replaces an item and reports it."""
        with self._setting:
            # A path of its own would be 300 bytes more for each image.
            item = replace(item, path=self.items[number].path)
            self.items[number] = item
            on_item(number, item)

    def set_if_waiting(self, number: int, item: Item, on_item: OnItem) -> None:
        """Replaces an item that still waits for a caption, and reports it. One that was edited
        by hand meanwhile stays."""
        with self._setting:
            if self.is_waiting(number):
                self.set_item(number, item, on_item)

    def is_waiting(self, number: int) -> bool:
        """Returns whether the image still needs a caption, and did not get one by hand."""
        return self.items[number].state in (ItemState.WAITING, ItemState.WORKING)

    def in_state(self, state: ItemState) -> list[int]:
        """Returns the numbers of the items in this state."""
        return [number for number, item in enumerate(self.items) if item.state is state]

    def fail_shared_names(self, on_item: OnItem) -> None:
        """Of images that would share a caption file, fails all but the first."""
        sharing = list(sharing_names(self.items, self.names))
        self.sharing_count = len(sharing)
        for number, reason in sharing:
            item = self.items[number]
            self.set_item(number, replace(item, state=ItemState.FAILED, reason=reason), on_item)

    def note(self, text: str) -> None:
        """Keeps a sentence for the user, once."""
        if text not in self.notes:
            self.notes.append(text)

    def close(self) -> None:
        """Brings the tables up to date and closes the journal. Raises StoreError."""
        with self.disk:
            try:
                if not self.journal.is_closed:
                    self._settle()
            finally:
                self.journal.close()

    def _leave_tables(self, continued_by_later: Mapping[CaptionFormat, Path]) -> None:
        for table_format, path in continued_by_later.items():
            del self.tables.paths[table_format]
            self.note(
                translatable(
                    "core", "A later run continues “{name}”, so changes here are not written to it."
                ).format(name=path.name)
            )

    def _replay(self, path: Path, found: FoundPictures) -> None:
        items = self.replayed.items
        names = PictureNames(chain(map(str, found.pictures), items))
        for event in read_events(path):
            if isinstance(event, Damaged):
                event = names.named(event)
            self.replayed.add(event, self.names)
        missing = self.replayed.items.keys() - {str(path) for path in found.pictures}
        self._plan(replace(found, pictures=[*found.pictures, *sorted(map(Path, missing))]))
        self._report_damage()

    def _settle(self) -> None:
        tally = tally_of(self.items)
        # A run that was stopped before its first caption has made empty tables.
        if (self.tables.old or not tally.done) and not self.replayed.is_undone:
            self.tables.renew(keeps_empty=False)
        is_over = not (tally.waiting or self.replayed.unwritten or self.replayed.is_undone)
        if is_over and not self.replayed.has_ended:  # Nothing was to do, or edits did it.
            self.append_to_run(Ended(tally.done, tally.failed))
        is_settled = self.replayed.is_undone or not (self.tables.old or self.replayed.unwritten)
        if is_settled and not self.replayed.undo_under_way and self.journal.has_grown:
            self.journal.append(Closed(), is_durable=False)

    def _report_damage(self) -> None:
        """Says which lines of the journal are lost. If they name no image, it is one of those that
        seem to have been skipped or, when the run is over, that seem to wait."""
        nameless = [one for one in self.replayed.damaged if one.may_be_any_image]
        for one in self.replayed.damaged:
            self.note(one.note)
        if nameless:
            waiting = self.in_state(ItemState.WAITING) if self.replayed.has_ended else []
            for number in (*self.in_state(ItemState.SKIPPED), *waiting):
                unknown = replace(nameless[0], picture=str(self.items[number].path)).item
                self.set_item(number, unknown, ignore)

    def _plan(self, found: FoundPictures) -> None:
        if found.sentence:
            self.note(found.sentence)
        self.items = planned(found.pictures, self.options, self.names, self.replayed.items)
        self.numbers = {str(item.path): number for number, item in enumerate(self.items)}
        self.replayed.items.clear()
        self.fail_shared_names(ignore)


def _rows_at_start(
    options: BatchOptions, roots: Sequence[Path], found: FoundPictures
) -> dict[str, StoredTable]:
    """Returns what the tables hold whose rows are to be changed, where it matters what changes
    later, or whether there was one. Raises StoreError for one that is not a table of captions."""
    targets = CaptionTargets(options, roots, found.pictures)
    replaces = options.existing in (Existing.REPLACE, Existing.STALE, Existing.GENERATED)
    held: dict[str, StoredTable] = {}
    for path in targets.tables_of(found.pictures):
        table = targets.rows.tables.table(path)
        if os.path.lexists(path) and (replaces or table.is_empty):
            held[path] = StoredTable.of(b"" if table.is_empty else table.data)
    return held
