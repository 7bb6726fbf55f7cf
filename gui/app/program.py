"""Builds each part of the program once, runs its loop, and takes it all down in order."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QApplication

from core.engine_packs.pins import PINS_FILE
from core.files import exists
from core.locations import Locations, take_from_others
from core.settings import load as load_settings
from core.store import Store
from gui.app.application import ROLES, first_paint
from gui.app.batch_wiring import BatchWiring
from gui.app.conversation_wiring import ConversationWiring
from gui.app.engines_wiring import EnginesWiring
from gui.app.evidence_wiring import EvidenceWiring
from gui.app.faults import FaultReporter
from gui.app.folder_jobs import FolderJobs
from gui.app.garbage import GarbageCollector
from gui.app.idle_unload import IdleUnload
from gui.app.images_wiring import ImagesWiring
from gui.app.loading_wiring import LoadingWiring
from gui.app.models_wiring import ModelsWiring
from gui.app.packaged_resources import prompt_presets, sample_pictures
from gui.app.prompt_draft import PromptDraft
from gui.app.run_wiring import RunWiring
from gui.app.servers_wiring import ServersWiring
from gui.app.settings_wiring import SettingsWiring
from gui.app.tasks import BackgroundTasks
from gui.app.typed_wiring import TypedWiring
from gui.app.undo_wiring import UndoWiring
from gui.app.unsaved_wiring import UnsavedWiring
from gui.app.updates_wiring import UpdatesWiring
from gui.session.answer_inspection import AnswerInspection
from gui.session.bulk_editing import BulkEditing
from gui.session.caption_editing import CaptionEditing
from gui.session.drafts_outside import DraftsOutside
from gui.session.engine_packs import EnginePacks
from gui.session.folder_counts import FolderCounts
from gui.session.folder_run import FolderRun
from gui.session.loaded_model import LoadedModel
from gui.session.model_answers import ModelAnswers
from gui.session.model_library import ModelLibrary
from gui.session.model_thread import PATIENCE_SECONDS, ModelThread
from gui.session.picture_list import PictureList
from gui.session.row_drafts import RowDrafts
from gui.session.session import Session
from gui.session.settings_file import SettingsFile
from gui.session.spell_checking import SpellChecking
from gui.session.typed_texts import TypedTexts
from gui.session.unseen_outcomes import UnseenOutcomes
from gui.session.view_memory import ViewMemory
from gui.session.waiting_question import WaitingQuestion
from gui.session.workspace import FolderWorkspace
from gui.widgets.accessible import install_accessible
from gui.widgets.theme import Theme
from gui.widgets.translated import translated_all
from gui.window.main_window import MainWindow

# How long a thread runs while another waits for Python's lock. During a paint the GUI thread has to
# wait for it dozens of times: at the default of 5 ms it would stand still for 0.1 s and more while
# another thread is busy.
SWITCH_SECONDS = 0.0005

Visit = Callable[["Program"], Coroutine[None, None, None]]

log = logging.getLogger(__name__)


class Program(QObject):
    """Owns every part: builds them, connects them, and ends them in order."""

    def __init__(
        self,
        application: QApplication,
        loop: asyncio.AbstractEventLoop,
        places: Locations,
        started: float,
        model: ModelThread | None = None,
        pins_file: Path = PINS_FILE,
    ):
        """Build everything; nothing is shown or loaded before `life`."""
        super().__init__()
        # The loop must outlive the window by the time it takes to save.
        application.setQuitOnLastWindowClosed(False)
        sys.setswitchinterval(SWITCH_SECONDS)
        self._loop = loop
        self._places = places
        self._started = started
        self._quit_asked = asyncio.Event()
        self._is_to_restart = False
        self._garbage = GarbageCollector(self)
        self.faults = FaultReporter(self)
        self.tasks = BackgroundTasks(loop, self)
        self.settings = load_settings(places.folder)
        self._presets = prompt_presets()
        model = model or ModelThread(parent=self)
        model.work_offline(self.settings.works_offline)
        self._build_sessions(model)
        install_accessible(ROLES)
        self.engine_packs = EnginePacks(places.engines, self.settings, self, pins_file)
        self._theme = Theme(application, self.settings.theme, self.settings.text_percent)
        self.window = MainWindow(self._theme, self._presets, thumbnails=self._places.thumbnails)
        self._wire()

    def _build_sessions(self, model: ModelThread) -> None:
        """What a person can do, without a window."""
        self.model = model
        self._store = Store(self._places.transcripts, waits=False)
        self._settings_file = SettingsFile(self.settings, self._places.folder, self)
        self.loaded_model = LoadedModel(model, self._settings_file, self)
        self.workspace = FolderWorkspace(self._places.data, self)
        self._memory = ViewMemory(self._places.data, self)
        self._typed = TypedTexts(self._places.data, self)
        self.pictures = PictureList(self.workspace, self, self._memory)
        self.caption_editing = CaptionEditing(self.workspace, self)
        self.folder_counts = FolderCounts(self.workspace, self)
        self._spelling = SpellChecking(self._places.data, self.settings.spelling, self)
        self.bulk_editing = BulkEditing(self.workspace, self)
        self.session = Session(
            model, self.loaded_model, self.pictures, self._store, self._settings_file, self
        )
        self.question = WaitingQuestion(
            model,
            self.loaded_model,
            self.pictures,
            self.session,
            self._settings_file,
            self.tasks.begin,
            self,
        )
        self._inspection = AnswerInspection(model, self.loaded_model, self.session, self.settings)
        self.folder_run = FolderRun(model, self._places.runs, self)
        self._model_answers = ModelAnswers(self.folder_run, self.workspace, self._places.data, self)
        self._drafts = DraftsOutside(self._places.data, self)
        self._row_drafts = RowDrafts(self.folder_run, self.caption_editing, self._drafts, self)
        self.model_library = ModelLibrary(self.settings, self._settings_file.save, self)

    def _wire(self) -> None:
        """Connect the sessions with the window."""
        window, session, begin = self.window, self.session, self.tasks.begin
        # The state follows the model before anything else asks what is in it.
        LoadingWiring(
            window, self.model, self.loaded_model, self.settings, self._garbage, begin, self
        )
        self._wire_images()
        self._wire_conversation()
        self._wire_models()
        self._batch_wiring = BatchWiring(
            window, self.folder_run, self.settings, self._presets[0][1], begin, self
        )
        self.folder_jobs = FolderJobs(
            window,
            self.workspace,
            self.caption_editing,
            self._listing,
            drafts=self._drafts,
            run=self.folder_run,
            batch=self._batch_wiring,
            model=self.model,
            loaded=self.loaded_model,
            library=self.model_library,
            settings_file=self._settings_file,
            places=self._places,
            begin=begin,
            parent=self,
        )
        RunWiring(
            window,
            self.folder_run,
            self._batch_wiring,
            self.workspace,
            self.pictures,
            begin,
            self,
            editing=self.caption_editing,
        )
        self._conversation_wiring.fill = self.folder_jobs.notes.filled
        self._wire_settings()
        UndoWiring(window, session, self._batch_wiring, self.workspace, self.caption_editing, self)
        self._updates_wiring = UpdatesWiring(window, self.settings, self)
        self.faults.window = window
        session.mending_begun.connect(self._on_mending_begun)
        self.tasks.noticed.connect(window.show_notice)
        self.tasks.failed.connect(self.faults.report)
        window.closed.connect(self.quit)

    def _wire_images(self) -> None:
        """The images, the folder's list of them, and their captions."""
        images = ImagesWiring(
            self.window,
            self.workspace,
            self.pictures,
            self.session,
            captions=self.caption_editing,
            bulk=self.bulk_editing,
            counts=self.folder_counts,
            memory=self._memory,
            typed=self._typed,
            model=self.model,
            settings_file=self._settings_file,
            spelling=self._spelling,
            unseen=UnseenOutcomes(self._places.data),
            begin=self.tasks.begin,
            parent=self,
        )
        self._listing, self._memory_wiring = images.listing, images.memory
        self._typed_wiring = TypedWiring(self.window, self._typed, self.folder_run, self)
        images.bulk.dialog_made.connect(self._typed_wiring.keep_bulk)
        unsaved = UnsavedWiring(
            self.window,
            self.workspace,
            self.pictures,
            editing=self.caption_editing,
            rows=self._row_drafts,
            begin=self.tasks.begin,
            parent=self,
        )
        unsaved.stayed.connect(self._on_stayed)

    def _wire_conversation(self) -> None:
        """Questions, answers, and what their words rest on."""
        window, begin = self.window, self.tasks.begin
        self._conversation_wiring = ConversationWiring(
            window, self.session, self.question, self.model, begin, self
        )
        EvidenceWiring(
            window,
            self.session,
            self.model,
            self._inspection,
            self._settings_file,
            begin,
            self,
        )

    def _wire_models(self) -> None:
        """The library of models, servers, PyTorch for the card, and when a model is unloaded."""
        window, begin = self.window, self.tasks.begin
        engines = EnginesWiring(window, self.engine_packs, self._settings_file, begin, self)
        engines.restart_asked.connect(self.restart)
        self._engines_wiring = engines
        servers = ServersWiring(window, self.loaded_model, self.settings, begin, self)
        ModelsWiring(
            window,
            self.model_library,
            self.model,
            self.loaded_model,
            self.settings,
            self._theme,
            begin,
            self,
            engines=engines,
            servers=servers,
        )
        self.idle_unload = IdleUnload(window, self.model, self.settings, self)

    def _wire_settings(self) -> None:
        """The settings dialog and all that it changes."""
        SettingsWiring(
            self.window,
            self._theme,
            self._settings_file,
            self.loaded_model,
            self.idle_unload,
            self._places.logs,
            self.tasks.begin,
            self,
            engines=self._engines_wiring,
            spelling=self._spelling,
        )

    async def life(self, paths: list[Path], crash: str = "", visit: Visit | None = None) -> bool:
        """Run from the first paint until everything is saved.

        Returns False if the process must be ended hard, since a thread is still at work.
        """
        self._show_window()
        await first_paint(self.window)
        log.info("Window shown after %.2f s", time.perf_counter() - self._started)
        self.tasks.begin(self.loaded_model.load(self.settings.model_choice))
        if paths or self._memory.open:
            self.tasks.begin(self._begin_with(paths))
        self.tasks.begin(self._report_notes(self._places.note, *self.settings.notes))
        self.tasks.begin(asyncio.to_thread(take_from_others, self._places))
        self.tasks.begin(self._batch_wiring.offer_unfinished())
        self.tasks.begin(self._model_answers.recover())
        self._engines_wiring.look_soon()
        if self.settings.checks_for_updates:
            self._updates_wiring.look(is_asked=False)
        if crash:
            self.faults.report_crash(crash)
        if visit:
            self.tasks.begin(visit(self))
        await self._quit_asked.wait()
        return await self._take_down()

    @Slot(list)
    def come_forward(self, paths: list[Path]) -> None:
        """Another copy of the program was started, on these paths or on none."""
        log.info("Another copy was started, on %d picture(s) or folder(s)", len(paths))
        if self.window.isMinimized():
            self.window.showNormal()
        self.window.raise_()
        self.window.activateWindow()
        if paths:
            self.window.show_images()
            self.tasks.begin(self.pictures.open_paths(paths))

    @Slot()
    def quit(self) -> None:
        """End the program as closing the window does."""
        self._quit_asked.set()

    @Slot()
    def restart(self) -> None:
        """End the program as closing the window does, and start it again on the same images."""
        if self.window.state.run.is_running:
            self.window.show_notice(self.tr("Pause the folder run, then restart Onlooker."))
            return
        self._is_to_restart = True
        self.window.close()

    @Slot()
    def _on_stayed(self) -> None:
        self._is_to_restart = False

    @property
    def restarts_on(self) -> list[Path] | None:
        """The images and folders to start the program on again; None if it just ends."""
        return list(self.pictures.roots) if self._is_to_restart else None

    async def _begin_with(self, paths: list[Path]) -> None:
        """Open these images, or what was open when the program ended if it is still there, unless
        the person has opened something meanwhile."""
        before = list(self._memory.open)
        if not paths and await asyncio.to_thread(lambda: all(map(exists, before))):
            paths = before
        is_free = not (self.pictures.is_opening or self.pictures.roots or self.pictures.picture)
        if paths and is_free:
            await self.pictures.open_paths(paths)

    def _show_window(self) -> None:
        self.window.show_empty(sample_pictures())
        prompt_box = self.window.prompt_box
        begin = self.tasks.begin
        self._draft = PromptDraft(prompt_box, self._settings_file, self._typed, begin, self)
        self._typed_wiring.give_question_back()
        self.window.restore_state(self.settings.window)
        self.window.states.update(underlines_doubt=self.settings.underlines_doubt)
        self.window.show()

    @Slot()
    def _on_mending_begun(self) -> None:
        self.tasks.begin(self._report_notes())

    async def _report_notes(self, *others: str) -> None:
        """Say what became of the files, once the conversations are checked."""
        notes = [note for note in (*others, *await self.session.opened_notes()) if note]
        if notes:
            log.warning(" ".join(notes))
            self.window.show_notice(translated_all(notes))

    async def _take_down(self) -> bool:
        """Hide everything, save everything, then wait for the threads. False if one goes on."""
        self.settings.window = self.window.save_state()
        self._draft.keep()
        self._memory_wiring.keep()
        if self.window.isVisible():
            self.window.leave()
        for widget in QApplication.topLevelWidgets():
            widget.hide()
        self.caption_editing.write()
        await self.folder_jobs.close()
        await self.folder_counts.close()
        await self._spelling.close()
        await self.folder_run.close()
        await self._row_drafts.settled()
        await self.workspace.close()
        await self._memory.close()
        await self._typed.close()
        is_library_closed = await self.model_library.jobs.close(PATIENCE_SECONDS)
        self._engines_wiring.close()
        are_packs_closed = await self.engine_packs.close(PATIENCE_SECONDS)
        await self.session.close()
        await self._settings_file.close()
        deadline = self._loop.time() + PATIENCE_SECONDS
        is_model_closed = await self.model.close(PATIENCE_SECONDS)
        is_all_done = await self.tasks.all_done(deadline)
        self._garbage.close()
        return is_library_closed and are_packs_closed and is_model_closed and is_all_done
