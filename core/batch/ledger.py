"""The rows of one run and the journal they stand in, for those who ask, write and take back."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.batch import export
from core.batch import history as batch_history
from core.batch.find import export_folder, found_pictures, planned, sharing_names
from core.batch.history import Past
from core.batch.journal import SUFFIX, Journal, Record, WriteLock, records
from core.batch.options import BatchOptions, Item, ItemState
from core.batch.tables import Tables
from core.errors import StoreError
from core.version import program_version

Hear = Callable[[int, Item], None]


def ignore(*_: Any) -> None:
    """Hears nothing."""


class Ledger:
    """One run's rows, by their numbers, with its open journal and its tables.

    `items` may be read from any thread. Whoever writes files beside pictures, and what the journal
    says of them, holds `disk` meanwhile; everything else here is one step.
    """

    def __init__(
        self, journal: Journal, roots: Sequence[Path], options: BatchOptions, exports: Record
    ):
        """Use `begin` or `resume`."""
        self.roots = tuple(roots)
        self.options = options
        self.items: list[Item] = []
        self.notes: list[str] = []
        self.numbers: dict[str, int] = {}
        self.past = Past()
        self.journal = journal
        paths = {kind: Path(path) for kind, path in exports.items()}
        self.tables = Tables(paths, options, journal.path, self.note)
        self.are_tables_old = False
        self.disk = WriteLock(journal.path.parent)
        self._rows = threading.RLock()

    @classmethod
    def begin(cls, roots: Iterable[Path], options: BatchOptions, journals: Path) -> Ledger:
        """As `Batch.begin`."""
        options.checked()
        roots = [root.absolute() for root in roots]
        found = found_pictures(roots, options)
        folder = export_folder(roots)
        exports = {
            kind: str(export.taken_path(folder, kind))
            for kind in export.KINDS
            if kind in options.writes
        }
        now = datetime.now(UTC)
        path = journals / f"{now:%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}{SUFFIX}"
        ledger = cls(Journal(path), roots, options, exports)
        ledger.journal.append(
            {
                "kind": "begin",
                "journal": batch_history.VERSION,
                "version": program_version(),
                "when": now.isoformat(timespec="seconds"),
                "roots": [str(root) for root in roots],
                "options": asdict(options),
                "exports": exports,
            }
        )
        ledger._plan(found)
        return ledger

    @classmethod
    def resume(cls, path: Path) -> Ledger:
        """As `Batch.resume`."""
        header = batch_history.header_of(path)
        if header is None:
            raise StoreError("This run's journal is damaged. Begin the run anew.")
        roots = [Path(root) for root in header["roots"]]
        options = BatchOptions.from_record(header["options"])
        ledger = cls(Journal(path), roots, options, header["exports"])
        found = found_pictures(roots, options)
        for record in records(path):
            ledger.past.add(record, options)
        missing = ledger.past.items.keys() - {str(path) for path in found}
        ledger._plan([*found, *sorted(map(Path, missing))])
        return ledger

    def set(self, number: int, item: Item, hear: Hear) -> None:
        with self._rows:
            self.items[number] = item
            hear(number, item)

    def set_waiting(self, number: int, item: Item, hear: Hear) -> None:
        """The same, unless the row has a caption meanwhile, as by hand."""
        with self._rows:
            if self.is_waiting(number):
                self.set(number, item, hear)

    def is_waiting(self, number: int) -> bool:
        """Whether the picture still is to get a caption, and got none by hand meanwhile."""
        return self.items[number].state in (ItemState.WAITING, ItemState.WORKING)

    def in_state(self, state: ItemState) -> list[int]:
        """The numbers of the rows that are in it."""
        return [number for number, item in enumerate(self.items) if item.state is state]

    def fail_shared_names(self, hear: Hear) -> None:
        """Of pictures that would share a caption file, let the first alone wait."""
        for number, reason in list(sharing_names(self.items, self.options)):
            item = self.items[number]
            self.set(number, replace(item, state=ItemState.FAILED, reason=reason), hear)

    def note(self, text: str) -> None:
        """Keep a sentence for the person."""
        if text not in self.notes:
            self.notes.append(text)

    def close(self) -> None:
        """Bring the tables up to date and let go of the journal. Raises StoreError."""
        with self.disk:
            try:
                if self.are_tables_old and not self.past.is_undone:
                    self.tables.renew()
            finally:
                self.journal.close()

    def _plan(self, found: Sequence[Path]) -> None:
        self.items = planned(found, self.options, self.past.items)
        self.numbers = {str(item.path): number for number, item in enumerate(self.items)}
        self.past.items.clear()
        self.fail_shared_names(ignore)
