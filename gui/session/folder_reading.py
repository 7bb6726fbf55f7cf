"""How the images of the open workspace are found and read, and what other programs change after."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.workspace import ScanProgress, ScanStage, Workspace
from gui.session.folder_scans import FolderScans
from gui.session.user_activity import UserActivity
from gui.session.watched_folders import WatchedFolders
from gui.session.worker_thread import WorkerThread

# While these go on, the folder is being opened.
_OPENING = (ScanStage.FOLDERS, ScanStage.CAPTIONS)
# A program that writes all the time must not make all the time be spent on reading: a pause is so
# many times as long as the reading before it took.
_PAUSES_AFTER_CHANGES, _PAUSES = 5, 40
_LEAST_PAUSE_MS = 10_000


class _Kind(Enum):
    """What a scan is for: to read all, what has changed, or what may have changed unseen."""

    ALL = auto()
    CHANGES = auto()
    LOOK = auto()


class FolderReading(QObject):
    """Scans the folders of a workspace, and those again in which something changes. The system
    does not say what is written into files that were there, and nothing at all of some network
    folders, so all is looked at now and then, too.

    `progressed(bool)`: `progress` is another; True if there are other images or captions since the
    last time. `stopped_or_resumed()`: `is_cut` is another. `ended()`: a scan is over.
    """

    progressed = Signal(bool)
    stopped_or_resumed = Signal()
    ended = Signal()

    def __init__(self, thread: WorkerThread, activity: UserActivity, parent: QObject | None = None):
        """`thread` is the workspace's, which knows what is to be watched."""
        super().__init__(parent)
        self._thread = thread
        self._scans = FolderScans(activity, self)
        self._watched = WatchedFolders(self)
        self._workspace: Workspace | None = None
        self._since = 0
        # The scans that were asked for and are not over.
        self._asked: deque[_Kind] = deque()
        self._changed: dict[Path, None] = {}
        self._began = 0.0
        self.least_pause_ms = _LEAST_PAUSE_MS
        self._look_timer = QTimer(self, singleShot=True)
        self._look_timer.timeout.connect(self._look)
        self._changes_timer = QTimer(self, singleShot=True)
        self._changes_timer.timeout.connect(self._read_changes)
        self.clear()
        self._scans.progressed.connect(self._on_progressed)
        self._scans.ended.connect(self._on_ended)
        self._watched.changed.connect(self._on_folders_changed)

    def clear(self) -> None:
        """Forget what was read, without a signal."""
        self.progress: ScanProgress | None = None
        self.is_cut = self.is_done = False

    @property
    def watched(self) -> list[Path]:
        """The folders that the system watches for changes by other programs."""
        return self._watched.by_system

    def begin(self, workspace: Workspace) -> None:
        """Read all folders of this workspace, which has been opened."""
        self._workspace = workspace
        self._since = time.time_ns()
        self._begin(workspace)

    def read_again(self) -> None:
        """Read what other programs have changed meanwhile."""
        if self._workspace is not None and self.is_done and not self.is_cut:
            self._begin(self._workspace)

    @Slot()
    def stop(self) -> None:
        """Leave it at the images that are found by now."""
        if self._workspace is not None and self.progress is not None:
            self.is_cut, self.progress = True, None
            self._scans.stop()
            self.stopped_or_resumed.emit()

    @Slot()
    def resume(self) -> None:
        """Find the images that are left since reading was stopped."""
        self.is_done = self.is_cut = False
        self.stopped_or_resumed.emit()
        if self._workspace is not None:
            self._begin(self._workspace)

    def leave(self, after: Callable[[], object]) -> None:
        """End all scans of the workspace without a report, then call `after` in their thread."""
        self._watched.clear()
        self._look_timer.stop()
        self._changes_timer.stop()
        self._asked.clear()
        self._changed.clear()
        self._workspace = None
        self._scans.leave(after)

    async def close(self) -> None:
        """Wait for the threads to end."""
        self._look_timer.stop()
        self._changes_timer.stop()
        self._watched.close()
        await self._scans.close()

    def _begin(
        self,
        workspace: Workspace,
        folders: list[Path] | None = None,
        kind: _Kind = _Kind.ALL,
    ) -> None:
        if not self._asked:
            self._began = time.monotonic()
        self._asked.append(kind)
        self._scans.begin(workspace, folders)

    @Slot(object)
    def _on_progressed(self, progress: ScanProgress) -> None:
        is_first = not self.is_done and progress.stage in _OPENING
        self.progress = progress if is_first else None
        if progress.has_changed or self._asked[0] is not _Kind.LOOK:
            self.progressed.emit(progress.has_changed)

    @Slot(bool)
    def _on_ended(self, has_changed: bool) -> None:
        kind = self._asked.popleft()
        taken, self._began = time.monotonic() - self._began, time.monotonic()
        self.is_done, self.progress = True, None
        if (workspace := self._workspace) is not None and not self.is_cut:
            watch = partial(self._watched.watch, since=self._since)
            self._thread.ask(watch, lambda: workspace.folders)
            self._thread.ask(self._watched.watch_files, lambda: workspace.sources.files)
            self._look_timer.start(max(self.least_pause_ms, round(_PAUSES * taken * 1000)))
        pauses = _PAUSES_AFTER_CHANGES if kind is _Kind.CHANGES else 0
        self._changes_timer.start(round(pauses * taken * 1000))
        if has_changed or kind is not _Kind.LOOK:
            self.ended.emit()

    @Slot(object)
    def _on_folders_changed(self, folders: list[Path]) -> None:
        self._changed.update(dict.fromkeys(folders))
        self._read_changes()

    @Slot()
    def _read_changes(self) -> None:
        is_free = not self._asked and not self._changes_timer.isActive()
        if self._workspace is not None and self._changed and is_free:
            folders = [*self._changed]
            self._changed.clear()
            self._begin(self._workspace, folders, _Kind.CHANGES)

    @Slot()
    def _look(self) -> None:
        if self._workspace is not None and self.is_done and not self.is_cut and not self._asked:
            self._begin(self._workspace, kind=_Kind.LOOK)
