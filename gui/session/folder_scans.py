"""Reads the folders of a workspace in a thread of its own, and reports in the GUI thread."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

from PySide6.QtCore import QObject, Signal, Slot

from core.workspace import ScanProgress, Workspace
from gui.session.user_activity import UserActivity

# Between two reports: at least this, and this share of the time that the scan takes already.
_LEAST_SECONDS, _MOST_SECONDS, _SHARE = 0.15, 5.0, 0.4

log = logging.getLogger(__name__)


class FolderScans(QObject):
    """One scan after another. Only those of the workspace that is open now are reported.

    `progressed(ScanProgress)`: how far one is; `has_changed` is about all since the last report.
    `ended(bool)`: one has read all there is, or was stopped; True if anything was another.
    """

    progressed = Signal(object)
    ended = Signal(bool)
    _came = Signal(int, object)

    def __init__(self, activity: UserActivity, parent: QObject | None = None):
        super().__init__(parent)
        self._activity = activity
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scan")
        self._serial = 0
        self._stop = Event()
        self._is_closed = False
        self._came.connect(self._on_came)

    def begin(self, workspace: Workspace, folders: Sequence[Path] | None = None) -> None:
        """Read these folders, or all of them, once the scans before are over."""
        if not self._is_closed:
            self._thread.submit(self._scan, workspace, self._serial, self._stop, folders)

    def stop(self) -> None:
        """End the scan under way, and those that wait, soon; `ended` follows for each."""
        self._stop.set()
        self._stop = Event()

    def leave(self, after: Callable[[], object]) -> None:
        """End all scans without a report, then call `after` in the thread."""
        self.stop()
        self._serial += 1
        if not self._is_closed:
            self._thread.submit(after)

    async def close(self) -> None:
        """Wait for the thread to end."""
        self._is_closed = True
        await asyncio.to_thread(self._thread.shutdown)

    def _scan(
        self, workspace: Workspace, serial: int, stop: Event, folders: Sequence[Path] | None
    ) -> None:
        reports = _Reports(lambda progress: self._came.emit(serial, progress))

        def give_way() -> None:
            self._activity.give_way(lambda: not stop.is_set())

        try:
            if not stop.is_set():
                workspace.scan(stop, reports.take, folders, give_way=give_way)
        except Exception:
            log.exception("Reading the folders failed")
        self._came.emit(serial, reports.has_changed)

    @Slot(int, object)
    def _on_came(self, serial: int, report: ScanProgress | bool) -> None:
        if serial != self._serial:
            return
        if isinstance(report, bool):
            self.ended.emit(report)
        else:
            self.progressed.emit(report)


class _Reports:
    """Passes some of a scan's reports on. Used by its thread.

    Changes are reported ever more seldom: the list is made anew each time, which for 100,000
    images takes half a second.
    """

    def __init__(self, emit: Callable[[ScanProgress], None]):
        self._emit = emit
        self._began = time.monotonic()
        self._last = self._last_change = 0.0
        self._has_changed = False
        self.has_changed = False

    def take(self, progress: ScanProgress) -> None:
        self.has_changed |= progress.has_changed
        self._has_changed |= progress.has_changed
        now = time.monotonic()
        pause = min(max(_LEAST_SECONDS, _SHARE * (now - self._began)), _MOST_SECONDS)
        if self._has_changed and now - self._last_change >= pause:
            self._last_change, self._has_changed = now, False
            self._pass_on(progress, now, has_changed=True)
        elif now - self._last >= _LEAST_SECONDS:
            self._pass_on(progress, now, has_changed=False)

    def _pass_on(self, progress: ScanProgress, now: float, *, has_changed: bool) -> None:
        self._last = now
        self._emit(replace(progress, has_changed=has_changed))
