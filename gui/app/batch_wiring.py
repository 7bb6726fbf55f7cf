"""Connects the folder run with its panel and the window, and offers runs in notices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QDesktopServices

from core.batch import BatchOptions, KeptRun, Phase, Replacement
from core.files import is_folder
from core.settings import Settings
from gui.app.tasks import Begin
from gui.batch.run_controls import RunAction
from gui.session.folder_run import FolderRun
from gui.widgets.file_manager import reveal
from gui.widgets.file_urls import url_of
from gui.widgets.notice_bar import NoticeAction, NoticeActionKind
from gui.window.main_window import MainWindow


class BatchWiring(QObject):
    """What is done in the panel goes to the run, and what the run reports is shown there."""

    def __init__(
        self,
        window: MainWindow,
        run: FolderRun,
        settings: Settings,
        prompt: str,
        begin: Begin,
        parent: QObject | None = None,
    ):
        """`prompt` is what the panel suggests for a run."""
        super().__init__(parent)
        self._window, self._panel, self._run = window, window.batch_panel, run
        self._settings, self._prompt, self._begin = settings, prompt, begin
        self._offered: list[Path] = []
        self._roots: list[Path] = []
        self._kept: KeptRun | None = None
        self._connect_run()
        self._connect_panel()
        window.folder_run_chosen.connect(self.choose)
        window.last_run_asked.connect(self._on_last_run_asked)
        window.drop_zone.paths_dropped.connect(self._on_paths_dropped)
        window.paths_opened.connect(self._on_paths_opened)
        window.notice_action_chosen.connect(self._on_notice_action_chosen)

    def _connect_run(self) -> None:
        run, panel = self._run, self._panel
        run.items.replaced.connect(panel.show_items)
        run.items.changed.connect(panel.show_item)
        run.phase_changed.connect(panel.show_phase)
        run.progressed.connect(panel.show_progress)
        run.progressed.connect(self._show_progress)
        run.phase_changed.connect(self._show_progress)
        run.options_replaced.connect(panel.show_options)
        run.roots_changed.connect(panel.show_roots)
        run.noticed.connect(panel.show_notice)
        run.existing.unread_changed.connect(panel.filter_bar.show_unread)
        run.summed_up.connect(panel.show_summary)
        run.edits.changed.connect(panel.show_can_undo_edit)
        run.edits.conflicted.connect(panel.ask_about_conflicts)
        run.trial.begun.connect(panel.trial_page.show_pictures)
        run.trial.progressed.connect(panel.trial_page.show_tried)
        run.trial.running_changed.connect(panel.trial_page.set_trying)
        run.doubt_search.found.connect(panel.model.show_doubts)
        run.doubt_search.running_changed.connect(panel.set_doubting)

    def _connect_panel(self) -> None:
        run, panel = self._run, self._panel
        panel.started.connect(self._on_started)
        panel.action_asked.connect(self._on_action_asked)
        panel.undo_asked.connect(self._on_undo_asked)
        panel.recursion_changed.connect(self._on_recursion_changed)
        panel.edited.connect(self._on_edited)
        panel.replace_asked.connect(self._on_replace_asked)
        panel.edit_undone.connect(self._on_edit_undone)
        panel.conflicts_decided.connect(self._on_conflicts_decided)
        panel.caption_wanted.connect(run.existing.read_first)
        panel.names_changed.connect(self._on_names_changed)
        panel.tried.connect(self._on_tried)
        panel.trial_stopped.connect(run.trial.stop)
        panel.doubt_asked.connect(self._on_doubt_asked)
        panel.doubt_stopped.connect(run.doubt_search.stop)
        panel.reveal_asked.connect(reveal)
        panel.folder_asked.connect(self._on_folder_asked)

    @Slot(list)
    def choose(self, paths: list[Path]) -> None:
        """Show the panel with the images of these folders and files."""
        self._window.show_batch_panel()
        self._panel.show_prompt(self._prompt)
        self._panel.show_sampling(self._settings.sampling)
        if not self._run.is_running:
            self._roots = paths
        options = self._panel.form.unchecked_options
        self._begin(self._run.choose(paths, options.is_recursive, options))

    async def offer_unfinished(self) -> None:
        """Offer, at the start, to go on with a run that was closed before its end."""
        self._kept = await self._run.unfinished()
        if self._kept and not self._window.notice_bar.isVisible():
            name = self._kept.roots[0].name if self._kept.roots else ""
            notice = self.tr("The folder run for “{name}” is unfinished.").format(name=name)
            resume = NoticeAction(NoticeActionKind.RESUME_RUN, self.tr("Resume"))
            self._window.show_notice(notice, resume)

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
        if _are_many(paths) and not self._panel.isVisible():
            self._offered = paths
            caption_all = NoticeAction(NoticeActionKind.CAPTION_ALL, self.tr("Caption all"))
            self._window.show_notice(
                self.tr("These images can be captioned in one run."), caption_all
            )

    @Slot(object)
    def _on_notice_action_chosen(self, kind: NoticeActionKind) -> None:
        if kind is NoticeActionKind.CAPTION_ALL and self._offered:
            self.choose(self._offered)
        elif kind is NoticeActionKind.RESUME_RUN and self._kept:
            self._begin(self._reopen_and_resume(self._kept))

    async def _reopen_and_resume(self, kept: KeptRun) -> None:
        self._window.show_batch_panel()
        self._roots = list(kept.roots)
        await self._run.reopen(kept)
        await self._run.resume()

    @Slot()
    def _on_last_run_asked(self) -> None:
        self._begin(self._show_last_run())

    async def _show_last_run(self) -> None:
        if self._run.has_run:
            self._window.show_batch_panel()
        elif kept := await self._run.last():
            self._window.show_batch_panel()
            self._roots = list(kept.roots)
            self._begin(self._run.reopen(kept))
        else:
            self._window.show_notice(
                self.tr("No folder run yet. Start one with File > Caption folder….")
            )

    @Slot(object, int)
    def _on_started(self, options: BatchOptions, slots: int) -> None:
        self._begin(self._run.start(self._up_to_date(options), slots))

    @Slot(list, bool)
    def _on_tried(self, ways: list[BatchOptions], on_others: bool) -> None:
        up_to_date = [self._up_to_date(way) for way in ways]
        self._begin(self._run.try_first(up_to_date, on_others=on_others))

    def _up_to_date(self, options: BatchOptions) -> BatchOptions:
        """Return them with the sampling of the settings, except for what the run sets itself."""
        own, now = options.sampling, self._settings.sampling
        sampling = replace(now, temperature=own.temperature, banned_words=own.banned_words)
        return replace(options, sampling=sampling)

    @Slot(bool)
    def _on_recursion_changed(self, is_recursive: bool) -> None:
        options = self._panel.form.unchecked_options
        self._begin(self._run.choose(self._roots, is_recursive, options))

    @Slot(object)
    def _on_action_asked(self, action: RunAction) -> None:
        match action:
            case RunAction.RESUME:
                self._begin(self._run.resume())
            case RunAction.PAUSE:
                self._run.pause()
            case RunAction.STOP_NOW:
                self._run.stop_now()
            case RunAction.STOP_AFTER_THIS:
                self._run.stop_after_this()
            case RunAction.RETRY_FAILED:
                self._begin(self._run.retry_failed())
            case RunAction.NEW_RUN:
                self._on_recursion_changed(self._panel.form.recursive_box.isChecked())

    @Slot(bool)
    def _on_undo_asked(self, keeps_edits: bool) -> None:
        self._begin(self._run.undo(keeps_edits=keeps_edits))

    @Slot(int, str)
    def _on_edited(self, number: int, caption: str) -> None:
        self._begin(self._run.edits.edit(number, caption))

    @Slot(object, object)
    def _on_replace_asked(self, replacement: Replacement, numbers: list[int]) -> None:
        self._begin(self._run.edits.replace(replacement, numbers))

    @Slot()
    def _on_edit_undone(self) -> None:
        self._begin(self._run.edits.undo())

    @Slot(object, object)
    def _on_conflicts_decided(self, overwritten: set[int], kept: set[int]) -> None:
        self._begin(self._run.edits.resolve(overwritten, kept))

    @Slot()
    def _on_names_changed(self) -> None:
        self._run.look_beside(self._panel.form.unchecked_options)

    @Slot()
    def _on_doubt_asked(self) -> None:
        self._begin(self._run.find_doubt())

    @Slot()
    def _show_progress(self) -> None:
        is_paused = self._run.phase is Phase.PAUSED
        self._window.show_run_progress(self._panel.fraction, is_paused=is_paused)

    @Slot(Path)
    def _on_folder_asked(self, folder: Path) -> None:
        QDesktopServices.openUrl(url_of(folder))


def _are_many(paths: list[Path]) -> bool:
    return len(paths) > 1 or any(map(is_folder, paths))
