"""Keeps what a folder run writes about images of the open folder as what the model wrote."""

from __future__ import annotations

import asyncio
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Slot

from core.batch import Item, ItemState
from gui.session.caption_editing import CaptionEditing
from gui.session.run_items import RunItems
from gui.session.workspace import FolderWorkspace

_PAUSE_MS = 300


class ModelAnswers(QObject):
    """Some at a time, as a run may write many captions a second."""

    def __init__(
        self,
        items: RunItems,
        workspace: FolderWorkspace,
        editing: CaptionEditing,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._workspace, self._editing = workspace, editing
        self._answers: dict[Path, str] = {}
        self._working: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer = QTimer(self, interval=_PAUSE_MS, singleShot=True)
        self._timer.timeout.connect(self._begin)
        self._is_closed = False
        items.changed.connect(self._on_changed)
        items.replaced.connect(self._on_replaced)

    async def close(self) -> None:
        """Keep what is not kept yet."""
        self._is_closed = True
        self._timer.stop()
        await self._keep()
        await asyncio.gather(*self._tasks)

    @Slot(int, object)
    def _on_changed(self, number: int, item: Item) -> None:
        if item.state is ItemState.WORKING:
            self._working.add(number)
        elif number in self._working:
            self._working.discard(number)
            self._note(item)

    @Slot()
    def _on_replaced(self) -> None:
        self._working.clear()

    def _note(self, item: Item) -> None:
        if item.state is ItemState.DONE and not item.is_edited and not self._is_closed:
            self._answers[item.path] = item.caption
            if not self._timer.isActive():
                self._timer.start()

    @Slot()
    def _begin(self) -> None:
        task = asyncio.get_running_loop().create_task(self._keep())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self) -> None:
        answers, self._answers = self._answers, {}
        if answers:
            await self._workspace.read(lambda workspace: workspace.answers.note(answers))
            await self._editing.read_answer()
