"""Connects the folder run with its panel and the window, and offers runs in notices."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QDesktopServices

from core.batch import BatchOptions, Item, KeptRun, Phase
from core.captions.wording import Replacement
from core.engine import Capability
from core.files import exists
from core.settings import Settings
from core.workspace import CaptionSource, Preset
from gui.app.conflict_wiring import ConflictWiring
from gui.app.run_offer import RunOffer
from gui.app.run_state import run_state
from gui.app.tasks import Begin
from gui.batch.preset_options import with_preset
from gui.batch.run_controls import RunAction
from gui.session.folder_run import FolderRun
from gui.widgets.counted import counted
from gui.widgets.file_manager import reveal
from gui.widgets.file_urls import url_of
from gui.widgets.notice import NoticeAction, NoticeActionKind, StandsWhile
from gui.widgets.translated import translated
from gui.window.commands import Command
from gui.window.main_window import MainWindow
from gui.window.view_state import ViewState


class BatchWiring(QObject):
    """What is done in the panel goes to the run, and what the run reports is shown there.

    `series_asked()`: the runs that follow the one that is open, which is over, are to be done.
    """

    series_asked = Signal()

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
        self._offer = RunOffer(window, self)
        self._offer.taken.connect(self.choose)
        self._roots: list[Path] = []
        self._source: tuple[tuple[Path, ...], CaptionSource] | None = None
        self._kept: KeptRun | None = None
        self._is_known = False
        self._steps = self._edits = 0
        self._connect_run()
        self._connect_panel()
        ConflictWiring(window, run, self._begin_edit, self)
        window.dialogs.run_chosen.connect(self._on_run_chosen)
        window.drop_zone.paths_dropped.connect(self._on_paths_dropped)
        window.states.changed.connect(self._on_window_changed)
        window.notice_action_chosen.connect(self._on_notice_action_chosen)
        bind = window.command_actions.bind
        bind(Command.LAST_RUN, self._on_last_run_asked)
        bind(Command.ROW_CAPTION, self._on_caption_again_asked)
        run, panel = self._run, self._panel
        run.items.changed.connect(self._on_item_changed)
        for signal in (
            *(run.again.running_changed, panel.list.current_changed, panel.head.rows_toggled),
            *(panel.replace_bar.changed, panel.replace_bar.closed),
            *(run.items.replaced, run.progressed, run.phase_changed, run.roots_changed),
            *(run.edits.changed, run.doubt_search.running_changed, panel.trial_shown),
        ):
            signal.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Read the run into the window's state."""
        self._is_known |= self._run.has_run
        self._window.states.update(
            run=run_state(
                self._run,
                self._panel,
                journal=self._kept.journal if self._kept else None,
                is_known=self._is_known,
                steps=self._steps,
                edits=self._edits,
            )
        )

    @Slot(int, object)
    def _on_item_changed(self, number: int, item: Item) -> None:
        if number == self._panel.list.current_number:
            self.refresh()

    def _connect_run(self) -> None:
        run, panel = self._run, self._panel
        run.items.replaced.connect(panel.show_items)
        run.items.changed.connect(panel.model.change)
        run.phase_changed.connect(panel.show_phase)
        run.progressed.connect(panel.show_progress)
        run.options_replaced.connect(panel.form.show_options)
        run.roots_changed.connect(panel.show_roots)
        run.engines.cards_changed.connect(panel.form.more.show_cards)
        run.noticed.connect(self._on_run_noticed)
        run.refused.connect(self._on_run_refused)
        run.edits.noticed.connect(self._on_edit_noticed)
        run.again.noticed.connect(self._on_edit_noticed)
        run.edits.text_left.connect(self._on_text_left)
        run.existing.unread_changed.connect(panel.filter_bar.show_unread)
        run.summed_up.connect(panel.show_summary)
        run.edits.changed.connect(panel.show_can_undo_edit)
        run.trial.begun.connect(panel.trial_page.show_pictures)
        run.trial.progressed.connect(panel.trial_page.show_tried)
        run.trial.running_changed.connect(panel.trial_page.set_trying)
        run.doubt_search.found.connect(panel.model.show_doubts)
        run.doubt_search.running_changed.connect(panel.set_doubting)

    def _connect_panel(self) -> None:
        run, panel = self._run, self._panel
        panel.noticed.connect(self._on_form_noticed)
        panel.started.connect(self._on_started)
        panel.action_asked.connect(self._on_action_asked)
        panel.undo_asked.connect(self._on_undo_asked)
        panel.recursion_changed.connect(self._on_recursion_changed)
        panel.edited.connect(self._on_edited)
        panel.replace_asked.connect(self._on_replace_asked)
        panel.edit_undone.connect(self.undo_edit)
        panel.model.caption_wanted.connect(run.existing.read_first)
        panel.filter_bar.find_edit.textChanged.connect(run.existing.give_way)
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
        self._offer.withdraw()
        self._window.show_batch_panel()
        self._panel.form.show_prompt(self._prompt)
        self._panel.form.show_sampling(self._settings.sampling)
        if not self._run.is_running:
            self._roots = paths
        options = self._panel.form.unchecked_options
        self._begin_step(self._run.choose(paths, options.is_recursive, options))

    def prepared_options(self) -> BatchOptions:
        """Return the options of the form, whether they make a run or not, with a prompt."""
        self._panel.form.show_prompt(self._prompt)
        return self._up_to_date(self._panel.form.unchecked_options)

    def followed(self, options: BatchOptions) -> BatchOptions:
        """Return options as the model that is loaded follows them."""
        return self._up_to_date(options)

    def with_preset(self, options: BatchOptions, preset: Preset) -> BatchOptions:
        """Return options with what a preset has."""
        return with_preset(self._up_to_date(options), preset, self._settings.sampling)

    def caption(self, paths: list[Path], options: BatchOptions) -> None:
        """Begin a run over these images; where its options make none, show the form, and why."""
        try:
            options = options.checked()
        except ValueError as error:
            self.choose(paths)
            self._on_form_noticed(translated(error))
            return
        self._offer.withdraw()
        self._window.show_batch_panel()
        self._roots = paths
        self._begin_step(self._choose_and_start(paths, options))

    async def _choose_and_start(self, paths: list[Path], options: BatchOptions) -> None:
        await self._run.choose(paths, options.is_recursive, options)
        if self._run.roots == paths:
            form = self._panel.form
            self._panel.left.emit()
            await self._run.start(options, form.slots or 0, form.more.devices)

    async def offer_unfinished(self) -> None:
        """Offer, at the start, to go on with a run that was closed before its end."""
        newest = await self._run.last()
        self._is_known |= newest is not None
        self._kept = newest if newest and (newest.runs_left or not newest.is_over) else None
        self.refresh()
        if self._kept:
            self._offer.offer_rest(self._kept)

    def offer_series(self, kept: KeptRun, reason: str) -> None:
        """Offer the runs that were to follow the one that is open; `reason` says why."""
        self._offer.offer_rest(kept, reason, self._steps)

    @Slot(list)
    def _on_run_chosen(self, paths: list[Path]) -> None:
        """The images of a run are shown beside it."""
        self.choose(paths)
        if not self._run.is_running:
            self._offer.show_images(paths)

    @Slot(list)
    def _on_paths_dropped(self, paths: list[Path]) -> None:
        self._window.show_images()

    @Slot(object)
    def _on_window_changed(self, state: ViewState) -> None:
        """Offer what the model can do."""
        why_not = state.model.why_not
        self._panel.form.more.show_missing(why_not)
        self._show_source(state)
        for variant in self._panel.trial_page.variants:
            variant.show_why_no_temperature(why_not(Capability.TEMPERATURE))

    def _show_source(self, state: ViewState) -> None:
        """A run starts with where the captions of the folder are, once that is known, and again
        when it is another place."""
        known = (state.picture.roots, state.workspace.source)
        if known == self._source or not state.workspace.is_open:
            return
        self._source = known
        roots, source = known
        self._panel.form.show_source(source, source.tables_in(roots))

    @Slot(object)
    def _on_notice_action_chosen(self, action: NoticeAction) -> None:
        match action:
            case NoticeAction(NoticeActionKind.RESUME_RUN, _, KeptRun() as kept):
                self._begin_step(self._reopen_and_resume(kept))
            case NoticeAction(NoticeActionKind.REDO_EDIT):
                self.redo_edit()

    @Slot(str)
    def _on_run_noticed(self, text: str) -> None:
        self._show_notice(text, StandsWhile.RUN_STEP, self._steps)

    @Slot(str)
    def _on_run_refused(self, text: str) -> None:
        self._show_notice(text, StandsWhile.RUN_USES_MODEL, None)

    @Slot(str)
    def _on_edit_noticed(self, text: str) -> None:
        self._show_notice(text, StandsWhile.LAST_EDIT, self._edits)

    @Slot(str)
    def _on_form_noticed(self, text: str) -> None:
        """Why the options make no run; once they do, the last reason is not true any more."""
        for notice in self._window.state.notices:
            if notice.stands is StandsWhile.RUN_CHOSEN:
                self._window.states.dismiss(notice)
        if text:
            self._show_notice(text, StandsWhile.RUN_CHOSEN, None)

    def _show_notice(self, text: str, stands: StandsWhile, about: object) -> None:
        self.refresh()
        self._window.show_notice(text, stands=stands, about=about, on_run_page=True)

    @Slot(int)
    def _on_text_left(self, count: int) -> None:
        """The files' texts were kept; the person's own are one click away."""
        self.refresh()
        one = self.tr("Kept the text in the file. What you wrote can be put in its place.")
        many = self.tr("Kept the text in {count} files. Your texts can be put in their place.")
        use = NoticeAction(NoticeActionKind.REDO_EDIT, self.tr("Use my text"))
        text, stands = counted(count, one, many), StandsWhile.LAST_EDIT
        self._window.show_notice(text, use, stands=stands, about=self._edits, on_run_page=True)

    def _begin_step(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something with the run as a whole: what is said of the last step goes. A caption that
        is being written belongs to the run as it is now."""
        self._panel.list.finish_editing()
        self._steps += 1
        self._begin_edit(work)

    def _begin_edit(self, work: Coroutine[Any, Any, None]) -> None:
        self._edits += 1
        self.refresh()
        self._begin(work)

    async def _reopen_and_resume(self, kept: KeptRun) -> None:
        self._window.show_batch_panel()
        await self._show_kept_images(kept)
        await self._run.reopen(kept)
        if self._run.phase is Phase.OVER:
            self.series_asked.emit()
        else:
            await self._run.resume()

    async def _show_kept_images(self, kept: KeptRun) -> None:
        self._roots = list(kept.roots)
        if await asyncio.to_thread(lambda: all(map(exists, kept.roots))):
            self._offer.show_images(self._roots)

    def _on_last_run_asked(self) -> None:
        self._begin(self._show_last_run())

    async def _show_last_run(self) -> None:
        if self._run.has_run:
            self._window.show_batch_panel()
        elif kept := await self._run.last():
            self._window.show_batch_panel()
            await self._show_kept_images(kept)
            self._begin_step(self._run.reopen(kept))
        else:
            self._is_known = False
            self.refresh()
            self._window.show_notice(
                self.tr("No folder run yet. Start one with “Caption folder” in the File menu."),
                stands=StandsWhile.NO_RUN_YET,
            )

    @Slot(object, int, object)
    def _on_started(self, options: BatchOptions, slots: int, devices: tuple[str, ...]) -> None:
        self._begin_step(self._run.start(self._up_to_date(options), slots, devices))

    @Slot(list, bool)
    def _on_tried(self, ways: list[BatchOptions], on_others: bool) -> None:
        up_to_date = [self._up_to_date(way) for way in ways]
        self._begin_step(self._run.try_first(up_to_date, on_others=on_others))

    def _up_to_date(self, options: BatchOptions) -> BatchOptions:
        """Return them with the sampling of the settings, except for what the run sets itself, and
        without what the model does not follow, which is greyed out."""
        own, now = options.sampling, self._panel.form.usual(self._settings.sampling)
        sampling = replace(now, temperature=own.temperature, banned_words=own.banned_words)
        facts = self._window.state.model.facts
        return replace(options, sampling=facts.followed(sampling) if facts else sampling)

    @Slot(bool)
    def _on_recursion_changed(self, is_recursive: bool) -> None:
        options = self._panel.form.unchecked_options
        self._begin_step(self._run.choose(self._roots, is_recursive, options))

    @Slot(object)
    def _on_action_asked(self, action: RunAction) -> None:
        match action:
            case RunAction.RESUME:
                self._begin_step(self._run.resume())
            case RunAction.PAUSE:
                self._run.pause()
            case RunAction.STOP_NOW:
                self._run.stop_now()
            case RunAction.STOP_AFTER_THIS:
                self._run.stop_after_this()
            case RunAction.RETRY_FAILED:
                self._begin_step(self._run.retry_failed())
            case RunAction.NEW_RUN:
                self._on_recursion_changed(self._panel.form.recursive_box.isChecked())

    @Slot(bool)
    def _on_undo_asked(self, keeps_edits: bool) -> None:
        self._begin_step(self._run.undo(keeps_edits=keeps_edits))

    @Slot(int, str)
    def _on_edited(self, number: int, caption: str) -> None:
        self._begin_edit(self._run.edits.edit(number, caption))

    @Slot(object, object)
    def _on_replace_asked(self, replacement: Replacement, numbers: list[int]) -> None:
        self._begin_edit(self._run.edits.replace(replacement, numbers))

    def _on_caption_again_asked(self) -> None:
        if self._run.again.is_running:
            self._run.again.stop()
        else:
            self._begin_edit(self._run.caption_again(self._panel.list.current_number))

    @Slot()
    def undo_edit(self) -> None:
        """Take back the last edit of captions."""
        self._begin_edit(self._run.edits.undo())

    @Slot()
    def redo_edit(self) -> None:
        """Make the edit again that was taken back last."""
        self._begin_edit(self._run.edits.redo())

    @Slot()
    def _on_names_changed(self) -> None:
        self._run.look_beside(self._panel.form.unchecked_options)

    @Slot()
    def _on_doubt_asked(self) -> None:
        self._begin_step(self._run.find_doubt())

    @Slot(Path)
    def _on_folder_asked(self, folder: Path) -> None:
        QDesktopServices.openUrl(url_of(folder))
