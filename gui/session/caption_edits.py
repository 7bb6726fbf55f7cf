"""Edits by hand of the captions of a folder run, and taking them back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from core.batch import Batch, Replacement
from core.errors import AppError
from gui.session.inbox import Inbox
from gui.session.run_items import RunItems

log = logging.getLogger(__name__)


class CaptionEdits(QObject):
    """Writes edited captions to their files at once, in helper threads.

    `changed(bool)`: an edit was made or taken back, and whether there is one to take back now.
    `noticed(str)`: a sentence to show. A failure is a notice.
    """

    changed = Signal(bool)
    noticed = Signal(str)

    def __init__(self, items: RunItems, inbox: Inbox, parent: QObject | None = None):
        super().__init__(parent)
        self._items = items
        self._inbox = inbox
        self._batch: Batch | None = None
        self._read: set[int] = set()

    def set_batch(self, batch: Batch | None) -> None:
        """Edit the captions of this run from now on; None while no run is open."""
        self._batch = batch
        self._read.clear()

    async def edit(self, number: int, caption: str) -> None:
        """Write a caption that a person edited."""
        if self._batch is None:
            return
        try:
            await asyncio.to_thread(self._batch.edit, number, caption, self._inbox.put)
        except AppError as error:
            self.noticed.emit(str(error))
            self._items.show_again(number)
        await self.report()

    async def replace(self, replacement: Replacement, numbers: Sequence[int]) -> None:
        """Replace text in the captions of these images, as one edit."""
        if self._batch is None:
            return
        batch, items = self._batch, self._items.copy()

        def work() -> int:
            changed = ((number, replacement.of(items[number].caption)) for number in numbers)
            captions = {n: replaced.after.strip() for n, replaced in changed if replaced}
            return batch.edit_all(captions, self._inbox.put)

        try:
            count = await asyncio.to_thread(work)
        except AppError as error:
            self.noticed.emit(str(error))
        else:
            one = self.tr("Replaced in 1 caption. Undo edit restores it.")
            many = self.tr("Replaced in {count} captions. Undo edit restores them.")
            self._notice(one if count == 1 else many.format(count=f"{count:,}"))
        await self.report()

    async def undo(self) -> None:
        """Take back the last edit; a replacement in many captions is one."""
        if self._batch is None or not self._batch.can_undo_edit:
            return
        try:
            count = await asyncio.to_thread(self._batch.undo_edit, self._inbox.put)
        except AppError as error:
            self.noticed.emit(str(error))
        else:
            one = self.tr("Edit undone in 1 caption.")
            many = self.tr("Edit undone in {count} captions.")
            self._notice(one if count == 1 else many.format(count=f"{count:,}"))
        await self.report()

    async def read_caption(self, number: int) -> None:
        """Read, once, the caption file of an image that the run has skipped, and show it."""
        if self._batch is None or number in self._read:
            return
        self._read.add(number)
        batch = self._batch
        try:
            caption = await asyncio.to_thread(batch.caption_beside, number)
        except AppError as error:
            log.info("No caption to show: %s", error)
            return
        if caption and batch is self._batch:
            self._items.show_caption(number, caption)

    async def report(self) -> None:
        """Say, once all items are up to date, whether there is an edit to take back."""
        await self._inbox.emptied()
        self.changed.emit(self._batch is not None and self._batch.can_undo_edit)

    def _notice(self, sentence: str) -> None:
        self.noticed.emit(" ".join((sentence, *taken_notes(self._batch))))


def taken_notes(batch: Batch | None) -> list[str]:
    """Return the sentences that a run has to say, and clear them there."""
    notes = list(batch.notes) if batch else []
    if batch:
        batch.notes.clear()
    return notes
