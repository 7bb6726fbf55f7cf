"""A folder captioned in order: what to skip, what failed, what is next; its journal.

Every caption is in the journal, with what its files held before, ahead of the first byte that is
written beside a picture. A run that was killed at any point is so finished from its journal
without asking the model anything twice, and a run is undone from it.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from core.batch import edits as batch_edits
from core.batch import files as batch_files
from core.batch.doubt import Doubt
from core.batch.history import KeptRun as KeptRun
from core.batch.history import find_runs as find_runs
from core.batch.history import made_by_runs
from core.batch.ledger import Hear, Ledger, ignore
from core.batch.options import BatchOptions, Item, ItemState, Tally
from core.batch.recording import Desk
from core.batch.run import Control, Run
from core.batch.sidecar import Existing
from core.engine import Engine
from core.version import program_version


class Batch:
    """One run over pictures, and its journal, which is open until `close`.

    `items` may be read from any thread, and are replaced as the run goes on. `run` blocks and
    belongs to the engine's thread; `edit`, `retry_failed` and `undo` take a few milliseconds to
    minutes of disk and may be called from another, `undo` while nothing runs.
    """

    def __init__(self, ledger: Ledger):
        """Use `begin` or `resume`."""
        self._ledger = ledger
        self.roots, self.options = ledger.roots, ledger.options
        self.items, self.notes = ledger.items, ledger.notes

    @classmethod
    def begin(cls, roots: Iterable[Path], options: BatchOptions, journals: Path) -> Batch:
        """Find the pictures and begin a journal in the folder `journals`.

        `roots` are folders, files, and patterns with * or ?. Raises StoreError, ValueError.
        """
        return cls(Ledger.begin(roots, options, journals))

    @classmethod
    def resume(cls, path: Path) -> Batch:
        """Open the run of a journal where it was left. Raises StoreError."""
        return cls(Ledger.resume(path))

    # Reading it

    @property
    def tally(self) -> Tally:
        counts = Counter(item.state for item in self.items)
        failures = (item.reason for item in self.items if item.state is ItemState.FAILED)
        reasons = Counter(re.sub("“[^”]*”", "“…”", reason) for reason in failures)
        return Tally(
            done=counts[ItemState.DONE],
            skipped=counts[ItemState.SKIPPED],
            failed=counts[ItemState.FAILED],
            waiting=counts[ItemState.WAITING] + counts[ItemState.WORKING],
            undone=counts[ItemState.UNDONE],
            reasons=tuple(reasons.most_common()),
        )

    @property
    def journal_path(self) -> Path:
        return self._ledger.journal.path

    @property
    def exports(self) -> dict[str, Path]:
        """The run's tables, by their kind."""
        return self._ledger.tables.paths

    @property
    def is_undone(self) -> bool:
        return self._ledger.past.is_undone

    @property
    def can_undo_edit(self) -> bool:
        """Whether there is a hand edit to take back."""
        return bool(self._ledger.past.edits)

    def caption_beside(self, number: int) -> str:
        """What the files beside a picture say, which for a skipped one its item does not tell.
        Raises StoreError."""
        return batch_files.existing_caption(self.items[number].path, self.options)

    @property
    def doubts(self) -> list[Doubt]:
        """The most doubtful words that are known, of captions as they are now."""
        found = []
        for name, record in list(self._ledger.past.doubts.items()):
            number = self._ledger.numbers.get(name)
            if number is not None and self.items[number].caption == record["caption"]:
                found.append(Doubt.from_record(number, record))
        return found

    def keep_doubt(self, doubt: Doubt) -> None:
        """Keep what was found of a caption; may be called from the engine's thread. Raises
        StoreError."""
        ledger = self._ledger
        with ledger.disk:
            if not ledger.journal.is_closed:
                record = doubt.record(str(self.items[doubt.number].path))
                ledger.journal.append(record, is_durable=False)
                ledger.past.add(record, self.options)
                ledger.are_tables_old = bool(ledger.tables.paths)

    def close(self) -> None:
        """Bring the run's tables up to date and let go of the journal. Raises StoreError."""
        self._ledger.close()

    # Running it

    def run(
        self,
        engine: Engine,
        control: Control,
        hear: Hear = ignore,
        on_piece: Callable[[int, str], None] | None = None,
        *,
        slots: int = 1,
    ) -> Tally:
        """Caption what waits; returns when nothing does, or when `control` has ended it.

        `hear(number, item)` is called from this thread and from the writing one, and
        `on_piece(number, piece)` from this one with the caption as it comes. Raises DiskFull when
        there is no room for the journal or a caption, and EngineError when the model fails again
        and again; nothing is lost then, and `run` goes on from there.
        """
        if self.is_undone:
            return self.tally
        ledger, made = self._ledger, {}
        if self.options.existing in (Existing.REPLACE, Existing.STALE):
            made = made_by_runs(self.journal_path.parent, self.roots)
        desk = Desk(ledger, engine.facts, made, hear)
        with ledger.disk:
            begun = {"kind": "run", "version": program_version(), "facts": engine.facts.record()}
            ledger.journal.append(begun)
            desk.finish_writing()
            ledger.tables.renew()
        try:
            with ThreadPoolExecutor(1, "captions") as writer:
                run = Run(desk, engine, control, on_piece, writer)
                # Beams take no slots.
                slots = slots if self.options.sampling.beams == 1 else 1
                run.go(deque(ledger.in_state(ItemState.WAITING)), slots)
        finally:
            for number in ledger.in_state(ItemState.WORKING):
                desk.set_state(number, ItemState.WAITING)
        with ledger.disk:
            tally = self.tally
            if not tally.waiting:
                ledger.tables.renew()
                ledger.journal.append({"kind": "end", "done": tally.done, "failed": tally.failed})
        return tally

    def retry_failed(self, hear: Hear = ignore) -> int:
        """Let every failed picture wait again; gives how many. `run` takes them up."""
        ledger = self._ledger
        with ledger.disk:
            failed = ledger.in_state(ItemState.FAILED)
            if failed:
                ledger.journal.append({"kind": "retry"})
            for number in failed:
                ledger.set(number, Item(self.items[number].path), hear)
            ledger.fail_shared_names(hear)
        return len(failed)

    # By hand, and back

    def edit(self, number: int, caption: str, hear: Hear = ignore) -> None:
        """Write a person's caption beside the picture at once. Raises StoreError."""
        batch_edits.edit_one(self._ledger, number, caption, hear)

    def edit_all(self, captions: Mapping[int, str], hear: Hear = ignore) -> int:
        """Write a person's captions, by their pictures' numbers, as one edit; gives how many.

        A picture whose files cannot be written is noted. Raises DiskFull.
        """
        return batch_edits.edit(self._ledger, captions, hear)

    def undo_edit(self, hear: Hear = ignore) -> int:
        """Take back the last hand edit, all of it; gives how many captions are as before it.

        One whose files somebody has changed since stays, and is noted. Raises StoreError.
        """
        return batch_edits.take_back_edit(self._ledger, hear)

    def undo(self, hear: Hear = ignore, *, keeps_edits: bool = True) -> list[Path]:
        """Give every file of the run back what it held before; gives those that were left
        because somebody has changed them since. Raises StoreError; called again it goes on.

        With `keeps_edits` so are captions of the run that were edited by hand. What a hand edit
        put in the place of a text that the run had skipped is taken back.
        """
        return batch_edits.take_back_run(self._ledger, hear, keeps_edits=keeps_edits)
