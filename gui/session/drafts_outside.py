"""What a person is writing for images elsewhere than in the editor of captions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Slot

from core.errors import AppError
from core.workspace import Draft, DraftOutside, ImageRow


class DraftsOutside(QObject):
    """It is in the editor once the image is opened after the program was killed."""

    def __init__(self, data: Path, parent: QObject | None = None):
        """`data` is the folder of the program's own files."""
        super().__init__(parent)
        self._data = data
        self._drafts: dict[Path, DraftOutside] = {}
        self._newest: dict[Path, str] = {}
        self._under_way: set[asyncio.Future[bool]] = set()
        self._order = asyncio.Lock()

    def keep(self, path: Path, draft: Draft) -> asyncio.Future[bool]:
        """Keep what is being written for an image; returns whether that was possible."""
        self._newest[path] = draft.text
        return self._begin(partial(self._of(path).keep, draft), path, draft.text)

    def forget(self, path: Path) -> None:
        """What was being written for an image is written, or given up."""
        self._newest.pop(path, None)
        if draft := self._drafts.get(path):
            self._begin(draft.forget)

    @Slot(object, str)
    def keep_or_forget(self, row: ImageRow, text: str) -> None:
        """Keep what is being written in the place of the caption of a row; "" for nothing."""
        if text:
            self.keep(row.path, Draft(text, row.caption))
        else:
            self.forget(row.path)

    def hand_over(self, row: ImageRow) -> str:
        """Leave what is being written in the place of the caption of a row to the workspace, which
        is about to write it, and return what was kept of it; "" for nothing."""
        text = self._newest.pop(row.path, "")
        if draft := self._drafts.get(row.path):
            self._begin(draft.hand_over)
        return text

    async def settled(self) -> None:
        """Wait until all is kept."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    def _of(self, path: Path) -> DraftOutside:
        return self._drafts.setdefault(path, DraftOutside(self._data, path))

    def _begin(
        self, work: Callable[[], None], path: Path | None = None, text: str = ""
    ) -> asyncio.Future[bool]:
        """Do `work`, unless something else than this text is the newest of an image by then."""
        doing = asyncio.ensure_future(self._do(work, path, text))
        self._under_way.add(doing)
        doing.add_done_callback(self._under_way.discard)
        return doing

    async def _do(self, work: Callable[[], None], path: Path | None, text: str) -> bool:
        """One after the other, so that the last one counts."""
        async with self._order:
            if path is not None and self._newest.get(path) != text:
                return False
            try:
                await asyncio.to_thread(work)
            except AppError:
                return False  # It stays where it is written.
        return True
