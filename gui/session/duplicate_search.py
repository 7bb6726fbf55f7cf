"""Images that are the same or look alike, found in a thread of their own."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from PySide6.QtCore import QObject, Signal, Slot

from core.errors import AppError
from core.workspace import ScanProgress, Workspace
from gui.session.in_thread import begin_in
from gui.session.workspace import FolderWorkspace

_REPORT_SECONDS = 0.1

log = logging.getLogger(__name__)


class DuplicateSearch(QObject):
    """`progressed(ScanProgress)`: how far the search is. It ends when another folder is opened."""

    progressed = Signal(object)

    def __init__(self, workspace: FolderWorkspace, parent: QObject | None = None):
        super().__init__(parent)
        self._workspace = workspace
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="duplicates")
        self._stop = Event()
        workspace.leaving.connect(self.stop)

    @Slot()
    def stop(self) -> None:
        """End the search under way; what it has found by then counts."""
        self._stop.set()

    async def find(self, *, only_equal: bool = False) -> list[tuple[int, ...]]:
        """Return the groups of images that look alike, or are equal, by their ids. What was found
        before is not read again."""
        workspace = self._workspace.current
        if workspace is None:
            return []
        self._stop = Event()
        stop = self._stop
        return await begin_in(
            self._thread, lambda: self._find(workspace, stop, only_equal=only_equal)
        )

    async def close(self) -> None:
        """End the search, and wait for it."""
        self.stop()
        await asyncio.to_thread(self._thread.shutdown)

    def _find(
        self, workspace: Workspace, stop: Event, *, only_equal: bool
    ) -> list[tuple[int, ...]]:
        last = 0.0

        def report(progress: ScanProgress) -> None:
            nonlocal last
            if time.monotonic() - last > _REPORT_SECONDS:
                last = time.monotonic()
                self.progressed.emit(progress)

        try:
            workspace.find_similar(stop, report)
        except AppError:
            log.warning("What was found of duplicates is not kept", exc_info=True)
        return workspace.groups_of_similar(only_equal=only_equal)
