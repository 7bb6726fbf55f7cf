"""Captions of the workspace handed over to other programs, and taken from them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import TypeVar

from PySide6.QtCore import QObject, Signal

from core.captions.formats import CaptionFormat
from core.errors import Cancelled
from core.message import translatable
from core.workspace import Failure, ImageRow, Workspace, WorkspaceOptions
from core.workspace.export import (
    CAPTION_FORMATS,
    Contents,
    ExportItem,
    ExportOptions,
    ExportReport,
    FoundCaption,
    FoundInFile,
    FoundReview,
    common_root,
    compared,
    export,
    gathered,
    matched,
    read_captions,
    until_stopped,
    with_reviews,
)
from gui.session.in_thread import begin_in
from gui.session.workspace import FolderWorkspace

IMPORT_NAME = translatable("core", "Import captions")
"""What the edit is called that an import is."""

_REPORT_SECONDS = 0.1
# Reading the captions is this share of an export; writing files is the rest.
_READING = 0.3

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class ExportRequest:
    """What to export: `ids` are the images, None for all. `adds_reviews` adds what a person thinks
    of each; `replaces` writes over files that no export wrote."""

    options: ExportOptions
    ids: Sequence[int] | None = None
    adds_reviews: bool = False
    replaces: bool = False


class Exchange(QObject):
    """Exports and imports, one at a time, in a thread of its own.

    `progressed(float)`: the share of the work that is done.
    """

    progressed = Signal(float)

    def __init__(self, workspace: FolderWorkspace, ledger: Path, parent: QObject | None = None):
        """`ledger` is the file that knows what was exported."""
        super().__init__(parent)
        self._workspace, self._ledger = workspace, ledger
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="exchange")
        self._stop = Event()
        self._reported = 0.0

    def stop(self) -> None:
        """End the work under way, which then raises Cancelled."""
        self._stop.set()

    async def export(self, request: ExportRequest) -> ExportReport:
        """Export, and return what became of it. Raises StoreError, FilesInTheWay and Cancelled."""
        ids = request.ids

        def read(workspace: Workspace) -> tuple[list[ImageRow], WorkspaceOptions]:
            return workspace.rows(workspace.ids() if ids is None else ids), workspace.options

        found = await self._workspace.read(read)
        if found is None:
            raise Cancelled(translatable("core", "The export was stopped."))
        root = common_root(self._workspace.roots)
        stop = self._begin()
        return await self._do(lambda: self._export(request, root, *found, stop))

    async def look_into(self, source: Path) -> FoundInFile:
        """Return what a file or a folder of text files has for the images, in the place of what
        was looked into before. Raises StoreError, and Cancelled."""
        self.stop()
        stop = self._begin()
        rows = await self._workspace.read(lambda workspace: workspace.rows(workspace.ids()))
        root = common_root(self._workspace.roots) if rows else source
        return await self._do(lambda: _found_in(source, rows or [], root, stop))

    def take(self, found: Sequence[FoundCaption], reviews: Sequence[FoundReview]) -> None:
        """Write these captions and reviews as one edit, but for captions that were changed since
        they were looked at."""
        captions = {one.id: one.found for one in found}
        seen = {one.id: one.own for one in found}
        states = {one.id: one.found for one in reviews}

        self._workspace.edit_many(
            lambda workspace: workspace.begin_set_captions(
                captions, IMPORT_NAME, seen=seen, reviews=states
            )
        )

    async def close(self) -> None:
        """End the work under way, and wait for it."""
        self.stop()
        await asyncio.to_thread(self._thread.shutdown)

    # Inside

    def _begin(self) -> Event:
        self._stop = Event()
        self._reported = 0.0
        return self._stop

    async def _do(self, work: Callable[[], _Result]) -> _Result:
        return await begin_in(self._thread, work)

    def _export(
        self,
        request: ExportRequest,
        root: Path,
        rows: Sequence[ImageRow],
        options: WorkspaceOptions,
        stop: Event,
    ) -> ExportReport:
        done = 0

        def stop_if_asked() -> None:
            if stop.is_set():
                raise Cancelled(translatable("core", "The export was stopped."))

        def step() -> None:
            nonlocal done
            done += 1
            stop_if_asked()
            self._report(_READING * done / len(rows))

        formats = (
            options.format,
            *(kind for kind in CAPTION_FORMATS if kind is not options.format),
        )
        paths = [row.path for row in rows]
        captions: dict[Path, str] | None = None
        if options.table or options.are_keywords:
            formats = (CaptionFormat.XMP,)  # Alternative texts stand nowhere else.
            captions = {row.path: row.caption for row in rows}
        found = gathered(paths, root, formats, options.pattern, step, captions)
        items: list[ExportItem] = found.items
        if request.adds_reviews:
            items = with_reviews(items, rows, stop_if_asked)
        report = export(
            items,
            request.options,
            self._ledger,
            stop,
            replaces=request.replaces,
            on_progress=lambda share: self._report(_READING + (1 - _READING) * share),
        )
        failures: list[Failure] = [*found.failures, *report.failures]
        return replace(report, failures=failures)

    def _report(self, share: float) -> None:
        now = time.monotonic()
        if now - self._reported > _REPORT_SECONDS:
            self._reported = now
            self.progressed.emit(share)


def _found_in(source: Path, rows: Sequence[ImageRow], root: Path, stop: Event) -> FoundInFile:
    paths, found = [row.path for row in rows], read_captions(source, stop)
    return compared(rows, matched(until_stopped(found, stop), paths, root, Contents(rows, stop)))
