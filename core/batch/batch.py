"""One run over a folder, as its users see it: begin or resume, run, edit, undo.

Every caption is in the journal, with what its files held before, ahead of the first byte that is
written beside an image. So a run that was killed at any point is completed without asking the model
anything twice, and a run can be undone.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from core.batch import edits, recovery
from core.batch.asking_again import AskingAgain
from core.batch.changes import WrittenFile, existing_caption
from core.batch.conflicts import Conflict, EditOutcome
from core.batch.doubt import Doubt, doubts_of
from core.batch.events import Captioned, DoubtFound
from core.batch.items import Item, ItemState, Tally, tally_of
from core.batch.journal import read_events
from core.batch.ledger import Ledger, OnItem, ignore
from core.batch.options import BatchOptions
from core.batch.recording import Recorder
from core.batch.run import Control, Run
from core.batch.run_events import Ended, Ran, Retried, Started
from core.batch.stored import StoredAnswer
from core.batch.summary import Summary, summary_of
from core.batch.written import files_written_by_runs
from core.captions.formats import CaptionFormat
from core.captions.sidecar import NAME, Existing
from core.engine import Engine
from core.errors import StoreError
from core.message import translatable
from core.version import program_version


class Batch:
    """One run over images, with its journal, which is open until `close`.

    `items` may be read from any thread; they are replaced while the run goes on. `run` blocks and
    belongs to the engine's thread. `edit`, `retry_failed` and `undo` take between milliseconds and
    minutes, depending on the disk, and may be called from another thread; `undo` only while `run`
    does not. An `on_item` is called with an item's number and its new state.
    """

    def __init__(self, ledger: Ledger):
        """Use `begin` or `resume`."""
        self._ledger = ledger
        self.roots, self.options = ledger.roots, ledger.options
        self.items, self.notes = ledger.items, ledger.notes

    @classmethod
    def begin(cls, roots: Iterable[Path], options: BatchOptions, journals: Path) -> Batch:
        """Finds the images and begins a journal in the folder `journals`.

        `roots` are folders, files, and patterns with * or ?. Raises StoreError, ValueError.
        """
        return cls(Ledger.begin(roots, options, journals))

    @classmethod
    def resume(cls, path: Path) -> Batch:
        """Opens the run of a journal where it was left, and finishes first what was under way when
        its process ended: captions, edits, an undo. Raises StoreError."""
        ledger = Ledger.resume(path)
        try:
            recovery.recover(ledger)
        except BaseException:
            ledger.journal.close()
            raise
        return cls(ledger)

    # Reading

    @property
    def tally(self) -> Tally:
        """Counts the items by state."""
        return tally_of(self.items)

    @property
    def journal_path(self) -> Path:
        """Returns the journal's file."""
        return self._ledger.journal.path

    @property
    def exports(self) -> dict[CaptionFormat, Path]:
        """Returns the run's tables, by format."""
        return self._ledger.tables.paths

    @property
    def complete_tables(self) -> list[Path]:
        """Returns those tables that hold all captions; one that could not be written does not."""
        return self._ledger.tables.complete

    @property
    def warning(self) -> str:
        """Returns what to tell the user before the run, "" for nothing: how many images get no
        caption, because their caption file would be another image's too."""
        count = self._ledger.sharing_count
        if not count:
            return ""
        text = translatable(
            "core",
            "{count} images would write the caption file of another image, and will "
            "fail. Name the captions {pattern} to give each its own file.",
        )
        if count == 1:
            text = translatable(
                "core",
                "1 image would write the caption file of another image, and will fail. Name "
                "the captions {pattern} to give each its own file.",
            )
            return text.format(pattern=NAME)
        return text.format(count=f"{count:,}", pattern=NAME)

    @property
    def is_undone(self) -> bool:
        """Returns whether the run was undone, or its undo has begun."""
        return self._ledger.replayed.is_undone

    @property
    def can_undo_edit(self) -> bool:
        """Returns whether there is an edit to undo."""
        return bool(self._ledger.replayed.edits)

    @property
    def can_redo_edit(self) -> bool:
        """Returns whether there is an undone edit to make again."""
        return bool(self._ledger.replayed.undone_edits)

    def caption_beside(self, number: int) -> str:
        """Returns the caption in an image's files, which the item of a skipped image does not
        have. Raises StoreError."""
        return existing_caption(self._ledger.targets.of(self.items[number].path))

    @property
    def doubts(self) -> list[Doubt]:
        """Returns the most doubtful words that are known, of captions as they are now."""
        found = list(self._ledger.replayed.doubts.values())
        return list(doubts_of(found, self.items, self._ledger.numbers))

    def answers(self) -> Iterator[tuple[Path, StoredAnswer]]:
        """Yields each image that has a caption of this run, with the model's answers to it.
        Raises StoreError."""
        captioned = {
            event.picture: event
            for event in read_events(self.journal_path)
            if isinstance(event, Captioned)
        }
        for item in list(self.items):
            event = captioned.get(str(item.path))
            if event is not None and item.state is ItemState.DONE:
                for answer in event.answers:
                    yield item.path, answer

    def summary(self) -> Summary:
        """Returns what became of the run. 100,000 images take some 50 ms."""
        tables, seconds = self.complete_tables, self._ledger.replayed.seconds
        return summary_of(self.tally, list(self.items), self.options, tables, seconds)

    def keep_doubt(self, doubt: Doubt) -> None:
        """Adds what was found about a caption to the journal; may be called from the engine's
        thread. Raises StoreError."""
        ledger = self._ledger
        name = str(self.items[doubt.number].path)
        found = DoubtFound(name, doubt.caption, doubt.word, doubt.doubt, doubt.step, doubt.model)
        with ledger.disk:
            if not ledger.journal.is_closed:
                ledger.journal.append(found, is_durable=False)
                ledger.replayed.add(found, ledger.names)
                ledger.tables.mark_old()

    def close(self) -> None:
        """Brings the run's tables up to date and closes the journal. Raises StoreError."""
        self._ledger.close()

    # Running

    def run(
        self,
        engine: Engine,
        control: Control,
        on_item: OnItem = ignore,
        on_piece: Callable[[int, str], None] | None = None,
        *,
        slots: int = 1,
        on_doubts: Callable[[Sequence[Doubt]], None] = ignore,
    ) -> Tally:
        """Captions the images that wait; returns once none does, or `control` has ended the run.

        `on_item` is called from this thread and from the writing one, and `on_piece(number,
        piece)` from this one with the caption while it is generated. `on_doubts` is called from the
        writing thread with the most doubtful words of captions, where a server said how sure its
        model was. Raises DiskFull if there is
        no room for the journal or a caption, and EngineError if the model fails again and again.
        Nothing is lost then, and calling `run` again continues.
        """
        if self.is_undone:
            return self.tally
        ledger = self._ledger
        written: dict[str, WrittenFile] = {}
        if self.options.existing is not Existing.SKIP:
            written = files_written_by_runs(self.journal_path.parent, self.roots)
        recorder = Recorder(ledger, engine.facts, written, on_item, on_doubts)
        with ledger.disk:
            ledger.append_to_run(Started(program_version(), engine.facts))
            recorder.finish_writing()
            recorder.add_skipped()
            ledger.tables.renew()
        began = time.monotonic()
        try:
            with ThreadPoolExecutor(1, "captions") as writer:
                asked = AskingAgain(engine) if self.options.check else engine
                run = Run(recorder, asked, control, on_piece, writer)
                # Beam search uses no slots.
                slots = slots if self.options.sampling.beams == 1 else 1
                run.run(deque(ledger.in_state(ItemState.WAITING)), slots)
        finally:
            for number in ledger.in_state(ItemState.WORKING):
                recorder.set_state(number, ItemState.WAITING)
            with suppress(StoreError):  # A full disk is reported already.
                ledger.append_to_run(Ran(time.monotonic() - began))
        with ledger.disk:
            tally = self.tally
            if not tally.waiting:
                ledger.tables.renew(keeps_empty=False)
                ledger.append_to_run(Ended(tally.done, tally.failed))
        return tally

    def retry_failed(self, on_item: OnItem = ignore) -> int:
        """Makes every failed image wait again, for the next `run`; returns how many."""
        ledger = self._ledger
        with ledger.disk:
            failed = ledger.in_state(ItemState.FAILED)
            if failed:
                ledger.append_to_run(Retried())
            for number in failed:
                ledger.set_item(number, Item(self.items[number].path), on_item)
            ledger.fail_shared_names(on_item)
        return len(failed)

    # Editing and undoing

    def edit(
        self,
        number: int,
        caption: str,
        on_item: OnItem = ignore,
        *,
        shown: str | None = None,
        overwrites: bool = False,
        recipe: str = "",
    ) -> EditOutcome:
        """Writes a person's caption into the image's files at once. Raises StoreError.

        A file that somebody else has changed is a conflict, and left, unless the edit `overwrites`.
        `shown` is what the person saw of an image without a caption of the run; None: anything.
        A caption that the model wrote again has a `recipe` (`BatchOptions.recipe`).
        """
        return edits.edit_one(
            self._ledger,
            number,
            caption,
            on_item,
            shown=shown,
            overwrites=overwrites,
            recipe=recipe,
        )

    def edit_all(
        self,
        captions: Mapping[int, str],
        on_item: OnItem = ignore,
        *,
        shown: Mapping[int, str] | None = None,
        overwrites: bool = False,
        group: str = "",
    ) -> EditOutcome:
        """Writes a person's captions, by item number, as one edit, which joins that of `group`.

        Items whose files cannot be written get a note. Raises DiskFull.
        """
        return edits.edit_many(
            self._ledger, captions, on_item, shown=shown, overwrites=overwrites, group=group
        )

    def undo_edit(self, on_item: OnItem = ignore, overwritten: Collection[int] = ()) -> EditOutcome:
        """Undoes the last edit, all of it. Raises StoreError.

        Where somebody has changed the files since, it is a conflict, and left, except for the
        numbers among `overwritten`.
        """
        return edits.undo_last_edit(self._ledger, on_item, overwritten=overwritten)

    def redo_edit(self, on_item: OnItem = ignore, overwritten: Collection[int] = ()) -> EditOutcome:
        """Makes the edit again that was undone last; as `undo_edit`."""
        return edits.redo_last_edit(self._ledger, on_item, overwritten=overwritten)

    def adopt(self, conflicts: Iterable[Conflict], on_item: OnItem = ignore) -> None:
        """Keeps what somebody else has written, as the images' captions; `redo_edit` brings back
        what a person wrote. Raises StoreError."""
        edits.adopt(self._ledger, conflicts, on_item)

    def take_over(
        self,
        pictures: Collection[Path] | None = None,
        on_item: OnItem = ignore,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> int:
        """Makes what a person has written elsewhere into the files of images that have a caption of
        the run their captions, as edited by hand; returns how many are others now.

        `pictures` were just edited; None looks at all, and leaves what other runs wrote there since
        and files that are gone. `is_stopped` is asked before each is read. Raises StoreError.
        """
        # The window opens without it.
        from core.batch import elsewhere

        return elsewhere.take_over(self._ledger, pictures, on_item, is_stopped)

    def undo(self, on_item: OnItem = ignore, *, keeps_edits: bool = True) -> list[Path]:
        """Gives every file of the run the content from before it. Returns the files that were
        left because somebody has changed them since. Raises StoreError; calling it again continues.

        With `keeps_edits`, captions of the run that were edited by hand are left too. An edit
        that replaced a text which the run had skipped is undone all the same.
        """
        return edits.undo_run(self._ledger, on_item, keeps_edits=keeps_edits)
