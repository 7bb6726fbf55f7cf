"""What a person writes in a row of a folder run is a draft of its image until it is written."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from core.workspace import Draft
from gui.session.caption_editing import CaptionEditing
from gui.session.caption_writing import UnsavedCaption
from gui.session.drafts_outside import DraftsOutside
from gui.session.folder_run import FolderRun


class RowDrafts(QObject):
    """It is in the editor of the caption once the image is opened, also on another day: what could
    not be written, and what was half typed when the program ended.

    `changed()`: `unsaved` is another.
    """

    changed = Signal()

    def __init__(
        self,
        run: FolderRun,
        editing: CaptionEditing,
        drafts: DraftsOutside,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._run, self._editing = run, editing
        self._texts: dict[Path, tuple[int, Draft]] = {}
        self._unsaved: dict[Path, UnsavedCaption] = {}
        self._drafts = drafts
        self._typed: dict[Path, str] = {}
        self._under_way: set[asyncio.Future[None]] = set()
        run.edits.unwritten.connect(self._on_unwritten)
        run.edits.written.connect(self._on_written)

    @property
    def unsaved(self) -> list[UnsavedCaption]:
        """What could not be written, and why."""
        return list(self._unsaved.values())

    @property
    def is_undecided(self) -> bool:
        """Whether a person is being asked which of two texts is to stay."""
        return self._run.edits.is_undecided

    @Slot(int, str)
    def keep(self, number: int, text: str) -> None:
        """Keep what is being written for an item, or is about to be written to its files."""
        if number < len(self._run.items):
            item = self._run.items[number]
            self._keep(item.path, Draft(text, item.caption))

    @Slot(int)
    def drop(self, number: int) -> None:
        """What was being written for an item is given up; what could not be written is not."""
        path = self._run.items[number].path if number < len(self._run.items) else None
        if path in self._texts:
            self._keep(path, self._texts[path][1])
        elif path is not None:
            self._forget(path)

    async def finish(self) -> None:
        """Write once more what could not be written, and wait; `unsaved` says what is left."""
        await self._run.edits.settled()
        for path, (number, draft) in list(self._texts.items()):
            items = self._run.items
            if not self._run.is_running and number < len(items) and items[number].path == path:
                await self._run.edits.edit(number, draft.text)
        await self.settled()

    async def settled(self) -> None:
        """Wait until all drafts are kept."""
        await self._drafts.settled()
        while self._under_way:
            await asyncio.wait(self._under_way)

    @Slot(int, str, str)
    def _on_unwritten(self, number: int, text: str, reason: str) -> None:
        item = self._run.items[number]
        draft = Draft(text, item.caption)
        self._texts[item.path] = number, draft
        self._unsaved[item.path] = UnsavedCaption(item.path, reason, is_kept=False)
        self.changed.emit()
        self._keep(item.path, draft)
        self._editing.take_up(item.path, draft)

    @Slot(int, str)
    def _on_written(self, number: int, text: str) -> None:
        path = self._run.items[number].path
        if path in self._texts:
            del self._texts[path], self._unsaved[path]
            self.changed.emit()
        if self._typed.get(path) == text:  # Nothing else is being written by now.
            self._forget(path)

    def _keep(self, path: Path, draft: Draft) -> None:
        self._typed[path] = draft.text
        kept = self._drafts.keep(path, draft)
        if path in self._unsaved:
            noting = asyncio.ensure_future(self._note_kept(path, kept))
            self._under_way.add(noting)
            noting.add_done_callback(self._under_way.discard)

    def _forget(self, path: Path) -> None:
        self._typed.pop(path, None)
        self._drafts.forget(path)

    async def _note_kept(self, path: Path, kept: asyncio.Future[bool]) -> None:
        if await kept and path in self._unsaved:
            self._unsaved[path] = replace(self._unsaved[path], is_kept=True)
