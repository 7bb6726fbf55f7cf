"""Edits by hand of the captions of a folder run, undone and redone."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Signal, Slot

from core.batch import Batch, Conflict, EditOutcome, Item, ItemState
from core.captions.wording import Replacement
from core.errors import AppError
from gui.session.inbox import Inbox, ItemChangedElsewhere
from gui.session.run_items import RunItems
from gui.widgets.counted import counted
from gui.widgets.translated import translated, translated_all

# Otherwise the GUI thread would wait for the interpreter's lock after nearly every call of Qt.
_AT_A_STRETCH, _PAUSE_SECONDS = 4, 0.001

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class _Unresolved:
    """Captions that an action has left, and how many it has written. `overwrite` does the rest of
    it for these numbers, and `say` is the sentence about all."""

    count: int
    conflicts: tuple[Conflict, ...]
    overwrite: Callable[[Collection[int]], EditOutcome]
    say: Callable[[int], str]


class CaptionEdits(QObject):
    """Writes edited captions to their files at once, in helper threads.

    `changed(bool, bool)`: an edit was made, undone or redone, and whether there is now one to undo
    and one to redo. `conflicted(tuple[Conflict, ...])`: these captions were left, since somebody
    else has changed their files; `resolve` says what becomes of them, and meanwhile no others are
    reported. `text_left(int)`: the texts in so many files were kept, and `redo` puts those in
    their place that a person wrote. `unwritten(int, str, str)`: what a person wrote for an item
    could not be written, and why; `written(int, str)`: it was, or `redo` puts it in its place.
    `noticed(str)`: a sentence to show. Another failure is a notice.
    """

    changed = Signal(bool, bool)
    conflicted = Signal(object)
    text_left = Signal(int)
    unwritten = Signal(int, str, str)
    written = Signal(int, str)
    noticed = Signal(str)

    def __init__(self, items: RunItems, inbox: Inbox, parent: QObject | None = None):
        super().__init__(parent)
        self._items = items
        self._inbox = inbox
        self._batch: Batch | None = None
        self._can_undo = self._can_redo = False
        self._unresolved: deque[_Unresolved] = deque()
        self._under_way: set[asyncio.Future[Any]] = set()
        self._looking: set[asyncio.Future[None]] = set()
        self._closing = threading.Event()

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to undo, as was said last: threads write edits meanwhile."""
        return self._can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone edit to make again, as was said last."""
        return self._can_redo

    @property
    def is_undecided(self) -> bool:
        """Whether a person is being asked which of two texts is to stay."""
        return bool(self._unresolved)

    def set_batch(self, batch: Batch | None) -> None:
        """Edit the captions of this run from now on; None while no run is open. Begins to take over
        those that a person has changed elsewhere since it was open."""
        self._batch = batch
        self._unresolved.clear()
        self._closing = threading.Event()
        self._look()
        if batch is not None:
            self.take_over()

    async def edit(self, number: int, caption: str, recipe: str = "") -> None:
        """Write a caption that a person edited, or that the model wrote again, with its recipe."""
        if self._batch is None:
            return
        batch, put = self._batch, self._inbox.put
        is_failed = self._items[number].state is ItemState.FAILED  # Its row shows why.
        shown = "" if is_failed else self._items.existing(number)

        def overwrite(numbers: Collection[int]) -> EditOutcome:
            return batch.edit(number, caption, put, overwrites=True, recipe=recipe)

        write = partial(batch.edit, number, caption, put, shown=shown, recipe=recipe)

        def on_failed(reason: str) -> None:
            self._items.show_again(number)
            if recipe:
                self.noticed.emit(reason)
            else:
                self.unwritten.emit(number, caption, reason)

        def say(count: int) -> str:
            self.written.emit(number, caption)
            return ""

        await self._done(write, overwrite, say, on_failed)

    async def replace(self, replacement: Replacement, numbers: Sequence[int]) -> None:
        """Replace text in the captions of these images, as one edit."""
        if self._batch is None:
            return
        batch, items, put = self._batch, self._items.copy(), self._inbox.put
        group = ""

        def work() -> EditOutcome:
            nonlocal group
            changed = ((number, replacement.of(items[number].caption)) for number in numbers)
            captions = {n: replaced.after.strip() for n, replaced in changed if replaced}
            outcome = batch.edit_all(captions, put)
            group = outcome.group
            return outcome

        def overwrite(chosen: Collection[int]) -> EditOutcome:
            changed = ((number, replacement.of(items[number].caption)) for number in chosen)
            captions = {n: replaced.after.strip() for n, replaced in changed if replaced}
            return batch.edit_all(captions, put, overwrites=True, group=group)

        one = self.tr("Replaced in 1 caption. Undo edit restores it.")
        many = self.tr("Replaced in {count} captions. Undo edit restores them.")
        await self._done(work, overwrite, partial(counted, one=one, many=many))

    async def undo(self) -> None:
        """Undo the last edit; a replacement in many captions is one."""
        if self._batch is None or not self._batch.can_undo_edit:
            return
        work = partial(self._batch.undo_edit, self._inbox.put)
        one = self.tr("Edit undone in 1 caption.")
        many = self.tr("Edit undone in {count} captions.")
        await self._done(work, work, partial(counted, one=one, many=many))

    async def redo(self) -> None:
        """Make the edit again that was undone last."""
        if self._batch is None or not self._batch.can_redo_edit:
            return
        work = partial(self._batch.redo_edit, self._inbox.put)
        one = self.tr("Edit redone in 1 caption.")
        many = self.tr("Edit redone in {count} captions.")
        await self._done(work, work, partial(counted, one=one, many=many))

    async def resolve(self, overwritten: Collection[int], kept: Collection[int]) -> None:
        """Write, in the images with these numbers, what the files were left without, and keep what
        the files hold in the others. Conflicts in neither stay as they are."""
        if self._batch is None or not self._unresolved:
            return
        batch, unresolved = self._batch, self._unresolved.popleft()
        adopted = [one for one in unresolved.conflicts if one.number in kept]
        chosen = [one.number for one in unresolved.conflicts if one.number in overwritten]
        try:
            count = unresolved.count
            if chosen:
                count += (await self._in_thread(partial(unresolved.overwrite, chosen))).count
            # Last, so that it is what Redo brings back.
            await self._in_thread(partial(batch.adopt, adopted, self._inbox.put))
            self._note_adopted(adopted)
            if any(one.written for one in adopted):
                self.text_left.emit(len(adopted))
            self._notice(unresolved.say(count) if count else "")
        except AppError as error:
            reason = translated(error)
            self.noticed.emit(reason)
            for one in unresolved.conflicts:
                if one.written and one.number in (*overwritten, *kept):
                    self.unwritten.emit(one.number, one.written, reason)
        await self.report()
        if self._unresolved:
            self.conflicted.emit(self._unresolved[0].conflicts)

    async def _done(
        self,
        work: Callable[[], EditOutcome],
        overwrite: Callable[[Collection[int]], EditOutcome],
        say: Callable[[int], str],
        on_failed: Callable[[str], None] | None = None,
    ) -> None:
        """Do `work` in another thread, and report what it did, or tell `on_failed` why not. `close`
        waits for that."""
        failed = on_failed or self.noticed.emit
        doing = asyncio.ensure_future(self._do(work, overwrite, say, failed))
        self._under_way.add(doing)
        doing.add_done_callback(self._under_way.discard)
        await doing

    async def _do(
        self,
        work: Callable[[], EditOutcome],
        overwrite: Callable[[Collection[int]], EditOutcome],
        say: Callable[[int], str],
        on_failed: Callable[[str], None],
    ) -> None:
        batch, outcome = self._batch, None
        try:
            outcome = await asyncio.to_thread(work)
        except AppError as error:
            on_failed(translated(error))
        else:
            # What conflicts is counted too, once it is decided.
            is_whole = bool(outcome.count) and not outcome.conflicts
            self._notice(say(outcome.count) if is_whole else "")
        await self.report()
        if outcome and outcome.conflicts and batch is self._batch:
            for conflict in outcome.conflicts:
                self._items.show_again(conflict.number)
                self._items.outdated.emit(conflict.number)
            self._unresolved.append(_Unresolved(outcome.count, outcome.conflicts, overwrite, say))
            if len(self._unresolved) == 1 and not self._closing.is_set():
                self.conflicted.emit(outcome.conflicts)

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        writing = asyncio.ensure_future(asyncio.to_thread(work))
        self._under_way.add(writing)
        writing.add_done_callback(self._under_way.discard)
        return await writing

    def take_over(self, pictures: Collection[Path] | None = None) -> None:
        """Begin to make what a person has just written elsewhere into the files of these images
        their captions, or what was ever written there of all; see `Batch.take_over`."""
        if self._batch is not None:
            looking = asyncio.ensure_future(self._take_over(self._batch, pictures))
            self._looking.add(looking)
            looking.add_done_callback(self._looking.discard)

    async def _take_over(self, batch: Batch, pictures: Collection[Path] | None) -> None:
        closing, turns = self._closing, itertools.count(1)

        def is_stopped() -> bool:
            pauses = next(turns) % _AT_A_STRETCH == 0
            return closing.wait(_PAUSE_SECONDS) if pauses else closing.is_set()

        def on_item(number: int, item: Item) -> None:
            self._inbox.put(number, ItemChangedElsewhere(item))

        try:
            count = await asyncio.to_thread(batch.take_over, pictures, on_item, is_stopped)
        except AppError as error:
            log.info("What was written elsewhere is not known: %s", error)
            return
        if count and batch is self._batch:
            await self.report()

    async def settled(self) -> None:
        """Wait for what is being written."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def close(self) -> None:
        """Wait until what is being written is on the disk: the run may be closed then. Where nobody
        said which text is to stay, the file's does, and `redo` puts the person's in its place."""
        self._closing.set()
        await self.settled()
        if self._looking:
            await asyncio.wait(self._looking)
        batch, unresolved = self._batch, [*self._unresolved]
        self._unresolved.clear()
        for left in unresolved:
            written = [one for one in left.conflicts if one.written]
            if batch is not None and written:
                try:
                    await asyncio.to_thread(partial(batch.adopt, written, self._inbox.put))
                    self._note_adopted(written)
                except AppError as error:
                    self.noticed.emit(translated(error))

    def _note_adopted(self, conflicts: Sequence[Conflict]) -> None:
        for conflict in conflicts:
            if conflict.written:
                self.written.emit(conflict.number, conflict.written)

    async def report(self) -> None:
        """Say, once all items are up to date, whether there is an edit to undo or to redo."""
        await self._inbox.emptied()
        self._look()
        self.changed.emit(self.can_undo, self.can_redo)

    @Slot()
    def report_changes(self) -> None:
        """Say whether there is an edit to undo or to redo, if that has changed."""
        before = self._can_undo, self._can_redo
        self._look()
        if before != (self._can_undo, self._can_redo):
            self.changed.emit(self.can_undo, self.can_redo)

    def _look(self) -> None:
        self._can_undo = self._batch is not None and self._batch.can_undo_edit
        self._can_redo = self._batch is not None and self._batch.can_redo_edit

    def _notice(self, sentence: str) -> None:
        if text := translated_all(filter(None, (sentence, *taken_notes(self._batch)))):
            self.noticed.emit(text)


def taken_notes(batch: Batch | None) -> list[str]:
    """Return the sentences that a run has to say, and clear them there."""
    notes = list(batch.notes) if batch else []
    if batch:
        batch.notes.clear()
    return notes
