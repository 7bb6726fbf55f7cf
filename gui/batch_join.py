"""Joins the folder run with its panel and the window: who hears whom, and what is offered when."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, QUrl, Slot
from PySide6.QtGui import QDesktopServices

from core.batch import KeptRun
from core.batch_plan import BatchOptions
from core.transcript import Sampling
from gui.folder_run import FolderRun
from gui.main_window import MainWindow

CAPTION_ALL = "Caption them all"
GO_ON = "Show it"


class BatchJoin(QObject):
    """`begin` starts a coroutine; `sampling` gives the one that is chosen now."""

    def __init__(
        self,
        window: MainWindow,
        run: FolderRun,
        begin: Callable[[Coroutine], None],
        sampling: Callable[[], Sampling],
        prompt: str,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._run, self._begin = window, run, begin
        self._sampling, self._prompt = sampling, prompt
        self._offered: list[Path] = []
        self._roots: list[Path] = []
        self._kept: KeptRun | None = None
        panel = window.batch_panel
        run.items_replaced.connect(panel.show_items)
        run.item_changed.connect(panel.show_item)
        run.phase_changed.connect(panel.show_phase)
        run.progressed.connect(panel.show_progress)
        run.options_replaced.connect(panel.show_options)
        run.roots_changed.connect(panel.show_roots)
        run.noticed.connect(panel.show_notice)
        panel.started.connect(self._on_started)
        panel.paused.connect(run.pause)
        panel.stopped.connect(run.stop_now)
        panel.resumed.connect(self._on_resumed)
        panel.retry_asked.connect(self._on_retry_asked)
        panel.undo_asked.connect(self._on_undo_asked)
        panel.edited.connect(self._on_edited)
        panel.recursion_changed.connect(self._on_recursion_changed)
        panel.folder_asked.connect(self._on_folder_asked)
        window.folder_run_chosen.connect(self.choose)
        window.last_run_asked.connect(self._on_last_run_asked)
        window.paths_opened.connect(self._on_paths_opened)
        window.notice_action_chosen.connect(self._on_notice_action_chosen)

    @Slot(list)
    def choose(self, paths: list[Path]) -> None:
        """Show the panel with the pictures of these folders and files."""
        self._window.show_batch_panel()
        panel = self._window.batch_panel
        panel.show_prompt(self._prompt)
        if not self._run.is_running:
            self._roots = paths
        self._begin(self._run.choose(paths, panel.recursive_box.isChecked()))

    async def offer_unfinished(self) -> None:
        """At the start: a run that was closed can be gone on with."""
        self._kept = await self._run.unfinished()
        if self._kept and not self._window.notice_bar.isVisible():
            name = self._kept.roots[0].name if self._kept.roots else ""
            self._window.show_notice(f"The folder run over “{name}” is not finished.", GO_ON)

    @Slot(list)
    def _on_paths_opened(self, paths: list[Path]) -> None:
        if len(paths) > 1 or any(path.is_dir() for path in paths):
            self._offered = paths
            self._window.show_notice("All of these can be captioned in one run.", CAPTION_ALL)

    @Slot(str)
    def _on_notice_action_chosen(self, action_text: str) -> None:
        if action_text == CAPTION_ALL and self._offered:
            self.choose(self._offered)
        elif action_text == GO_ON and self._kept:
            self._reopen(self._kept)

    @Slot()
    def _on_last_run_asked(self) -> None:
        self._begin(self._show_last_run())

    async def _show_last_run(self) -> None:
        if self._run.has_run:
            self._window.show_batch_panel()
        elif kept := await self._run.last():
            self._reopen(kept)
        else:
            self._window.show_notice("There was no folder run yet. Begin one with Ctrl+B.")

    def _reopen(self, kept: KeptRun) -> None:
        self._window.show_batch_panel()
        self._roots = list(kept.roots)
        self._begin(self._run.reopen(kept))

    @Slot(object)
    def _on_started(self, options: BatchOptions) -> None:
        self._begin(self._run.start(replace(options, sampling=self._sampling())))

    @Slot()
    def _on_resumed(self) -> None:
        self._begin(self._run.go_on())

    @Slot()
    def _on_retry_asked(self) -> None:
        self._begin(self._run.retry_failed())

    @Slot()
    def _on_undo_asked(self) -> None:
        self._begin(self._run.undo())

    @Slot(int, str)
    def _on_edited(self, number: int, caption: str) -> None:
        self._begin(self._run.edit(number, caption))

    @Slot(bool)
    def _on_recursion_changed(self, is_recursive: bool) -> None:
        self._begin(self._run.choose(self._roots, is_recursive))

    @Slot(Path)
    def _on_folder_asked(self, folder: Path) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
