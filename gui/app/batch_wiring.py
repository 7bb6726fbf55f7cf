"""Joins the folder run with its panel and the window: who hears whom, and what is offered when."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, QUrl, Slot
from PySide6.QtGui import QDesktopServices

from core.batch import BatchOptions, KeptRun, Phase, Replacement
from core.transcript import Sampling
from gui.batch.run_controls import RunAction
from gui.session.folder_run import FolderRun
from gui.widgets.file_manager import reveal
from gui.widgets.notice_bar import NoticeAction, NoticeActionKind
from gui.window.main_window import MainWindow

CAPTION_ALL = NoticeAction(NoticeActionKind.CAPTION_ALL, "Caption them all")
RESUME_RUN = NoticeAction(NoticeActionKind.RESUME_RUN, "Go on")


class BatchWiring(QObject):
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
        run.progressed.connect(self._show_progress)
        run.phase_changed.connect(self._show_progress)
        run.options_replaced.connect(panel.show_options)
        run.roots_changed.connect(panel.show_roots)
        run.noticed.connect(panel.show_notice)
        run.summed_up.connect(panel.show_summary)
        run.edits_changed.connect(panel.show_can_undo_edit)
        run.trial_begun.connect(panel.trial_page.show_pictures)
        run.tried.connect(panel.trial_page.show_tried)
        run.trying_changed.connect(panel.trial_page.set_trying)
        panel.started.connect(self._on_started)
        panel.action_asked.connect(self._on_action_asked)
        panel.replace_asked.connect(self._on_replace_asked)
        panel.edit_undone.connect(self._on_edit_undone)
        run.doubts_found.connect(panel.model.show_doubts)
        run.doubting_changed.connect(panel.set_doubting)
        panel.doubt_asked.connect(self._on_doubt_asked)
        panel.doubt_stopped.connect(run.stop_doubt)
        panel.caption_wanted.connect(self._on_caption_wanted)
        panel.tried.connect(self._on_tried)
        panel.trial_stopped.connect(run.stop_trial)
        panel.reveal_asked.connect(reveal)
        panel.undo_asked.connect(self._on_undo_asked)
        panel.edited.connect(self._on_edited)
        panel.recursion_changed.connect(self._on_recursion_changed)
        panel.folder_asked.connect(self._on_folder_asked)
        window.folder_run_chosen.connect(self.choose)
        window.last_run_asked.connect(self._on_last_run_asked)
        window.drop_zone.paths_dropped.connect(self._on_paths_dropped)
        window.paths_opened.connect(self._on_paths_opened)
        window.notice_action_chosen.connect(self._on_notice_action_chosen)

    @Slot(list)
    def choose(self, paths: list[Path]) -> None:
        """Show the panel with the pictures of these folders and files."""
        self._window.show_batch_panel()
        panel = self._window.batch_panel
        panel.show_prompt(self._prompt)
        panel.show_sampling(self._sampling())
        if not self._run.is_running:
            self._roots = paths
        self._begin(self._run.choose(paths, panel.form.recursive_box.isChecked()))

    async def offer_unfinished(self) -> None:
        """At the start: a run that was closed can be gone on with."""
        self._kept = await self._run.unfinished()
        if self._kept and not self._window.notice_bar.isVisible():
            name = self._kept.roots[0].name if self._kept.roots else ""
            self._window.show_notice(f"The folder run over “{name}” is not finished.", RESUME_RUN)

    @Slot(list)
    def _on_paths_dropped(self, paths: list[Path]) -> None:
        """A folder or several pictures that are dropped are for a run; one is to be looked at."""
        if _are_many(paths):
            self.choose(paths)
        else:
            self._window.show_conversation()

    @Slot(list)
    def _on_paths_opened(self, paths: list[Path]) -> None:
        """What was chosen in a dialog is to be looked at, and a run over it is offered."""
        if _are_many(paths) and not self._window.batch_panel.isVisible():
            self._offered = paths
            self._window.show_notice("All of these can be captioned in one run.", CAPTION_ALL)

    @Slot(object)
    def _on_notice_action_chosen(self, kind: NoticeActionKind) -> None:
        if kind is NoticeActionKind.CAPTION_ALL and self._offered:
            self.choose(self._offered)
        elif kind is NoticeActionKind.RESUME_RUN and self._kept:
            self._begin(self._go_on_with(self._kept))

    async def _go_on_with(self, kept: KeptRun) -> None:
        self._window.show_batch_panel()
        self._roots = list(kept.roots)
        await self._run.reopen(kept)
        await self._run.go_on()

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

    @Slot(object, int)
    def _on_started(self, options: BatchOptions, slots: int) -> None:
        self._begin(self._run.start(self._up_to_date(options), slots))

    @Slot(list, bool)
    def _on_tried(self, ways: list[BatchOptions], on_others: bool) -> None:
        self._begin(self._run.try_first([self._up_to_date(way) for way in ways], on_others))

    def _up_to_date(self, options: BatchOptions) -> BatchOptions:
        """With the sampling that is chosen now, but for what the run has of its own."""
        own = options.sampling
        now = self._sampling()
        sampling = replace(now, temperature=own.temperature, banned_words=own.banned_words)
        return replace(options, sampling=sampling)

    @Slot(object)
    def _on_action_asked(self, action: RunAction) -> None:
        match action:
            case RunAction.RESUME:
                self._begin(self._run.go_on())
            case RunAction.PAUSE:
                self._run.pause()
            case RunAction.STOP_NOW:
                self._run.stop_now()
            case RunAction.STOP_AFTER_THIS:
                self._run.stop_after_this()
            case RunAction.RETRY_FAILED:
                self._begin(self._run.retry_failed())
            case RunAction.NEW_RUN:
                is_recursive = self._window.batch_panel.form.recursive_box.isChecked()
                self._begin(self._run.choose(self._roots, is_recursive))

    @Slot(bool)
    def _on_undo_asked(self, keeps_edits: bool) -> None:
        self._begin(self._run.undo(keeps_edits=keeps_edits))

    @Slot(int, str)
    def _on_edited(self, number: int, caption: str) -> None:
        self._begin(self._run.edit(number, caption))

    @Slot(object, object)
    def _on_replace_asked(self, replacement: Replacement, numbers: list[int]) -> None:
        self._begin(self._run.replace_in(replacement, numbers))

    @Slot()
    def _on_edit_undone(self) -> None:
        self._begin(self._run.undo_edit())

    @Slot()
    def _on_doubt_asked(self) -> None:
        self._begin(self._run.find_doubt())

    @Slot(int)
    def _on_caption_wanted(self, number: int) -> None:
        self._begin(self._run.read_caption(number))

    @Slot()
    def _show_progress(self) -> None:
        fraction = self._window.batch_panel.fraction
        self._window.show_run_progress(fraction, is_paused=self._run.phase is Phase.PAUSED)

    @Slot(bool)
    def _on_recursion_changed(self, is_recursive: bool) -> None:
        self._begin(self._run.choose(self._roots, is_recursive))

    @Slot(Path)
    def _on_folder_asked(self, folder: Path) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def _are_many(paths: list[Path]) -> bool:
    return len(paths) > 1 or any(path.is_dir() for path in paths)
