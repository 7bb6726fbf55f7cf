"""The folder that is open, as a workspace: its images and captions, searched, edited and reviewed.

The workspace itself is `core.workspace`; here its work is done in two threads, one for searching
and editing and one for reading folders, and what comes of it is reported in the GUI thread.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import TypeVar

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer, Signal, Slot

from core.errors import AppError
from core.workspace import (
    Counts,
    EditReport,
    ImageRow,
    Query,
    QueryError,
    ReviewState,
    ScanProgress,
    Sort,
    Workspace,
    WorkspaceOptions,
    parse_query,
)
from gui.widgets.translated import translated, translated_all

_REPORT_SECONDS = 0.15
_RESCAN_MS = 400
_MOST_WATCHED = 200

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")


class FolderWorkspace(QObject):
    """The images that were opened together.

    `opened()`: others, or none. `listed(Sequence[int])`: the ids in the order of the list.
    `rows_read(list[ImageRow])`: what `read_rows` asked for. `rows_changed(ids)`: these are to be
    read again, all for None. `edited(EditReport)`: what became of an edit, an undo or a redo.
    `changed()`: counts, the query or what can be undone are others. `noticed(str)`.
    """

    opened = Signal()
    listed = Signal(object)
    rows_read = Signal(object)
    rows_changed = Signal(object)
    edited = Signal(object)
    changed = Signal()
    noticed = Signal(str)
    _done = Signal(int, object, object)
    _progressed = Signal(int, object)

    def __init__(self, data: Path, parent: QObject | None = None):
        """`data` is the folder of the program's own files."""
        super().__init__(parent)
        self._data = data
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="workspace")
        self._scanner = ThreadPoolExecutor(1, thread_name_prefix="scan")
        self._serial = 0
        self._search_number = 0
        self._workspace: Workspace | None = None
        self._stop = Event()
        self._reset()
        self._is_closed = False
        self._rescan_timer = QTimer(self, interval=_RESCAN_MS, singleShot=True)
        self._rescan_timer.timeout.connect(self._rescan)
        self._to_rescan: set[Path] = set()
        self._watcher = QFileSystemWatcher(self)
        self._watcher.directoryChanged.connect(self._on_folder_changed)
        self._done.connect(self._on_done)
        self._progressed.connect(self._on_progressed)

    def _reset(self) -> None:
        self.roots: list[Path] = []
        self.ids: Sequence[int] = ()
        self.counts = Counts()
        self.undo_text = self.redo_text = ""
        self.query = ""
        self.query_error: QueryError | None = None
        self.sort = Sort()
        self._query: Query | None = None
        self._hidden: set[int] = set()
        self._is_outdated = False

    @property
    def is_open(self) -> bool:
        """Whether there are images to list."""
        return bool(self.roots)

    @property
    def total(self) -> int:
        """How many images there are, as far as is known."""
        return self.counts.images - len(self._hidden)

    def open(self, roots: list[Path]) -> None:
        """List the images in these folders, and these files; none closes the workspace."""
        self._leave()
        self._reset()
        self.roots = roots
        self.opened.emit()
        self.listed.emit(self.ids)
        if roots:
            options, data = WorkspaceOptions(), self._data
            self._ask(self._on_opened, lambda: Workspace.open(roots, data, options))

    def hide(self, id: int) -> None:
        """Take an image out of the list; its file stays."""
        self._hidden.add(id)
        self._search_again()

    def read_rows(self, ids: Sequence[int]) -> None:
        """Ask for rows; `rows_read` follows."""
        if workspace := self._workspace:
            self._ask(self.rows_read.emit, lambda: workspace.rows(ids))

    def search(self, text: str) -> None:
        """List only what the query finds; one that is wrong leaves the list as it is."""
        self.query, self.query_error = text, None
        try:
            self._query = parse_query(text)
        except QueryError as error:
            self.query_error = error
        else:
            self._search_again()
        self.changed.emit()

    def sort_by(self, sort: Sort) -> None:
        """List in another order."""
        self.sort = sort
        self._search_again()
        self.changed.emit()

    def settle(self) -> None:
        """Another image is shown: what an edit took out of the filter may leave the list now."""
        if self._is_outdated:
            self._search_again()

    async def row_of(self, path: Path) -> ImageRow | None:
        """Return an image by its file; None if it is not in the workspace."""
        workspace = self._workspace
        return await self._call(lambda: workspace.row_of(path)) if workspace else None

    async def path_of(self, id: int) -> Path | None:
        """Return the file of an image; None if it is not in the workspace any more."""
        workspace = self._workspace
        rows = await self._call(lambda: workspace.rows([id])) if workspace else []
        return rows[0].path if rows else None

    async def read(self, work: Callable[[Workspace], _Result]) -> _Result | None:
        """Return what `work` finds in the workspace, in its thread; None if none is open."""
        workspace = self._workspace
        return await self._call(lambda: work(workspace)) if workspace else None

    async def draft(self, id: int) -> str | None:
        """Return what was being written for an image when the program ended; None for nothing."""
        workspace = self._workspace
        return await self._call(lambda: workspace.draft(id)) if workspace else None

    def keep_draft(self, id: int, text: str | None) -> None:
        """Keep what is being written for an image; None once it is written."""
        if workspace := self._workspace:
            self._ask(None, lambda: workspace.keep_draft(id, text))

    # Edits

    def edit(self, work: Callable[[Workspace], EditReport | None]) -> None:
        """Do an edit; `edited` follows."""
        if workspace := self._workspace:
            self._ask(self._on_edited, lambda: work(workspace))

    def review(self, ids: Sequence[int], state: ReviewState) -> None:
        """Set what a person thinks of these images."""
        self.edit(lambda workspace: workspace.set_review(list(ids), state))

    def undo(self) -> None:
        """Undo the last edit of captions or reviews."""
        self.edit(lambda workspace: workspace.undo())

    def redo(self) -> None:
        """Make the edit again that was undone last."""
        self.edit(lambda workspace: workspace.redo())

    async def first(self, ids: Sequence[int], is_wanted: Callable[[ImageRow], bool]) -> int | None:
        """Return the first of these images that is wanted; None if none is."""
        workspace = self._workspace
        if workspace is None:
            return None

        def find() -> int | None:
            for begin in range(0, len(ids), 500):
                for row in workspace.rows(ids[begin : begin + 500]):
                    if is_wanted(row):
                        return row.id
            return None

        return await self._call(find)

    def rescan_all(self) -> None:
        """Read what other programs have changed meanwhile."""
        if self._workspace:
            self._to_rescan.update(map(Path, self._watcher.directories()))
            self._rescan_timer.start()

    async def close(self) -> None:
        """End all work, and wait for what is being written."""
        self._leave()
        self._is_closed = True
        await asyncio.to_thread(self._scanner.shutdown)
        await asyncio.to_thread(self._thread.shutdown)

    # Inside

    def _leave(self) -> None:
        """Let go of the workspace that is open, once its scan has ended."""
        self._stop.set()
        self._stop = Event()
        self._serial += 1
        self._to_rescan.clear()
        if watched := self._watcher.directories():
            self._watcher.removePaths(watched)
        if (workspace := self._workspace) is not None:
            self._workspace = None
            self._scanner.submit(self._close_later, workspace)

    def _close_later(self, workspace: Workspace) -> None:
        self._thread.submit(workspace.close)

    async def _call(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _ask(self, report: Callable[..., object] | None, work: Callable[[], object]) -> None:
        """Do `work` in the thread, and give `report` what comes of it, unless another workspace was
        opened meanwhile."""
        if not self._is_closed:
            self._thread.submit(self._work, self._serial, report, work)

    def _work(self, serial: int, report: object, work: Callable[[], object]) -> None:
        try:
            result = work()
        except AppError as error:
            result = error
        except Exception as error:
            log.exception("Work on the workspace failed")
            result = error
        self._done.emit(serial, report, result)

    @Slot(int, object, object)
    def _on_done(self, serial: int, report: object, result: object) -> None:
        if isinstance(result, Workspace) and serial != self._serial:
            self._thread.submit(result.close)
        elif serial != self._serial:
            return
        elif isinstance(result, AppError):
            self.noticed.emit(translated(result))
        elif callable(report) and not isinstance(result, Exception):
            report(result)

    def _on_opened(self, workspace: Workspace) -> None:
        self._workspace = workspace
        if workspace.notes:
            self.noticed.emit(translated_all(workspace.notes))
        self._look_again()
        self._scan()

    def _scan(self, folders: Sequence[Path] | None = None) -> None:
        workspace, serial, stop = self._workspace, self._serial, self._stop
        if workspace is not None and not self._is_closed:
            self._scanner.submit(self._scan_in_thread, workspace, serial, stop, folders)

    def _scan_in_thread(
        self, workspace: Workspace, serial: int, stop: Event, folders: Sequence[Path] | None
    ) -> None:
        last, has_changed = 0.0, False

        def report(progress: ScanProgress) -> None:
            nonlocal last, has_changed
            has_changed |= progress.has_changed
            if has_changed and time.monotonic() - last > _REPORT_SECONDS:
                last, has_changed = time.monotonic(), False
                self._progressed.emit(serial, False)

        try:
            workspace.scan(stop, report, folders)
        except Exception:
            log.exception("Reading the folders failed")
        if not stop.is_set():
            self._progressed.emit(serial, True)

    @Slot(int, object)
    def _on_progressed(self, serial: int, is_over: object) -> None:
        if serial == self._serial:
            self._look_again()
            self.rows_changed.emit(None)
            if is_over:
                self._watch()

    def _look_again(self) -> None:
        """Read the list and the counts anew."""
        self._search_again()
        self._read_state()

    def _read_state(self) -> None:
        workspace = self._workspace
        if workspace is None:
            return

        def read() -> tuple[Counts, str, str]:
            return workspace.counts, workspace.undo_name or "", workspace.redo_name or ""

        self._ask(self._on_state_read, read)

    def _on_state_read(self, state: tuple[Counts, str, str]) -> None:
        self.counts, undo, redo = state
        self.undo_text, self.redo_text = translated(undo), translated(redo)
        self.changed.emit()

    def _search_again(self) -> None:
        workspace, query, sort = self._workspace, self._query, self.sort
        if workspace is None:
            return
        self._is_outdated = False
        self._search_number += 1
        number, hidden = self._search_number, frozenset(self._hidden)

        def find() -> Sequence[int] | QueryError:
            if number != self._search_number:
                return ()
            try:
                ids = workspace.ids(query, sort)
            except QueryError as error:
                return error
            return [one for one in ids if one not in hidden] if hidden else ids

        self._ask(lambda found: self._on_found(number, found), find)

    def _on_found(self, number: int, found: Sequence[int] | QueryError) -> None:
        if number != self._search_number:
            return
        if isinstance(found, QueryError):
            self.query_error = found
        elif found != self.ids:
            self.ids = found
            self.listed.emit(found)
        self.changed.emit()

    def _on_edited(self, report: EditReport | None) -> None:
        if report is None:
            return
        self.rows_changed.emit(report.changed)
        self._is_outdated = True
        self._read_state()
        self.edited.emit(report)

    # Watching

    def _watch(self) -> None:
        folders = [str(root) if root.is_dir() else str(root.parent) for root in self.roots]
        new = set(folders[:_MOST_WATCHED]) - set(self._watcher.directories())
        if new:
            self._watcher.addPaths(sorted(new))

    @Slot(str)
    def _on_folder_changed(self, folder: str) -> None:
        self._to_rescan.add(Path(folder))
        self._rescan_timer.start()

    @Slot()
    def _rescan(self) -> None:
        folders, self._to_rescan = sorted(self._to_rescan), set()
        if folders:
            self._scan(folders)
