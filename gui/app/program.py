"""Builds each part of the window once, runs its loop, and takes it all down in order."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import qasync
from PySide6.QtCore import QEvent, QObject, QSocketNotifier, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices, QFileOpenEvent
from PySide6.QtWidgets import QApplication

from core.device.memory import known_cards
from core.engine import Capability, Loading, ModelState, Ready
from core.errors import AppError, Cancelled
from core.picture import find_pictures
from core.resources import RESOURCES, SAMPLES
from core.settings import Locations, Settings, writable_locations
from core.settings import load as load_settings
from core.store import Store, Summary
from core.transcript import Answer, ModelChoice
from gui.app.batch_wiring import BatchWiring
from gui.app.faults import FaultReporter, crash_file, open_log
from gui.app.garbage import GarbageCollector
from gui.app.idle_unload import IdleUnload
from gui.app.models_wiring import ModelsWiring
from gui.app.single_instance import SingleInstance
from gui.app.updates import Updates, UpdatesDialog
from gui.picture.model_view_switch import NO_MODEL, OTHER_WAY
from gui.session.folder_run import FolderRun
from gui.session.model_library import ModelLibrary
from gui.session.model_thread import PATIENCE_SECONDS, ModelThread
from gui.session.session import Session
from gui.widgets.theme import Theme
from gui.window.main_window import MainWindow
from gui.window.settings_dialog import SettingsDialog

if TYPE_CHECKING:
    from core.words import Word

LATEST_PAINT_SECONDS = 1.0
# How long a thread computes while another waits for Python. In a paint the window's has to wait
# dozens of times: at the usual 5 ms it stands still for 0.1 s and more beside a busy one.
SWITCH_SECONDS = 0.0005
TITLE_LENGTH = 48
# Settings that nobody edits: the program writes them down as it goes.
REMEMBERED = {
    *("window", "last_folder", "last_prompt", "prompt_history"),
    *("model_folders", "download_folder", "works_offline", "underlines_doubt"),
}

Visit = Callable[["Program"], Coroutine[None, None, None]]

log = logging.getLogger(__name__)


def run(paths: list[Path], started: float, visit: Visit | None = None) -> int:
    """Open the window on `paths`; give the exit status once it is closed.

    `started` is `time.perf_counter()` at the program's first line. `visit` runs beside the
    window from its first paint on: the way to try the program without a person.
    """
    places = writable_locations()
    application = _Application(sys.argv[:1])
    if getattr(sys, "frozen", False):
        # Qt has read by now what PyInstaller set. It needs that: a comma in the path of the program
        # breaks its other way to the plugins. A Qt program started from here must not have it.
        os.environ.pop("QT_PLUGIN_PATH", None)
    instance = SingleInstance(places.folder)
    if not instance.takes_part(paths):
        return 0
    open_log(places.logs)
    status = 0
    with crash_file(places.logs) as crash:
        loop = qasync.QEventLoop(application)
        loop.set_default_executor(ThreadPoolExecutor(2, thread_name_prefix="helper"))
        program = Program(application, loop, places, started)
        application.quit_asked.connect(program.quit)
        application.paths_opened.connect(program.come_forward)
        instance.paths_received.connect(program.come_forward)
        with program.faults.catching(loop), _signals_calling(program.quit):
            try:
                is_clean = loop.run_until_complete(program.life(paths, crash, visit))
            except Exception:
                log.critical("Onlooker cannot go on", exc_info=True)
                if sys.stderr:
                    sys.stderr.write(f"Onlooker cannot go on; {places.logs} says why.\n")
                is_clean, status = False, 1
    if not is_clean:
        # Nothing can interrupt a library that is being imported, and Qt aborts a process that
        # leaves a thread behind. All that is ours is safe by now.
        log.info("Ended while the model's thread was at work")
        logging.shutdown()
        os._exit(status)
    loop.close()
    return status


class Program(QObject):
    """The parts, who hears whom, and the order of the beginning and the end."""

    def __init__(
        self,
        application: QApplication,
        loop: asyncio.AbstractEventLoop,
        places: Locations,
        started: float,
        model: ModelThread | None = None,
    ):
        super().__init__()
        # The loop must outlive the window by the time it takes to keep what was said.
        application.setQuitOnLastWindowClosed(False)
        self._loop = loop
        self._places = places
        self._started = started
        self._tasks: set[asyncio.Task] = set()
        self._quit_asked = asyncio.Event()
        self._updates: Updates | None = None
        self._says_all_of_updates = False
        self._inspected = 0
        sys.setswitchinterval(SWITCH_SECONDS)
        self._garbage = GarbageCollector(self)
        self.faults = FaultReporter(self)
        self._settings = load_settings(places.folder)
        self._store = Store(places.transcripts)
        self.model = model or ModelThread(parent=self)
        self.session = Session(self.model, self._store, self._settings, places.folder, self)
        self._theme = Theme(application, self._settings.theme, self._settings.text_percent)
        self.window = MainWindow(self._theme, _presets())
        self.faults.window = self.window
        self._join_pictures()
        self._join_conversation()
        self._join_model()
        self._join_program()
        self.folder_run = FolderRun(self.model, places.runs, self)
        self.model_library = ModelLibrary(self._settings, self.session.keep_settings, self)
        self.models_wiring = ModelsWiring(
            self.window,
            self.model_library,
            self._theme,
            self._begin,
            self.session.load_model,
            lambda: self._settings.model_choice,
            lambda: self.model.choice,
            self,
        )
        self.session.model_changed.connect(self.models_wiring.show_model_state)
        self.idle_unload = IdleUnload(
            self.window,
            self.model,
            self._begin,
            self.session.load_model,
            lambda: self._settings.rest_minutes,
            self,
        )
        self.batch_wiring = BatchWiring(
            self.window,
            self.folder_run,
            self._begin,
            lambda: self._settings.sampling,
            _presets()[0][1],
            self,
        )

    async def life(self, paths: list[Path], crash: str = "", visit: Visit | None = None) -> bool:
        """From the first paint to the last word kept. False if the process must be ended hard."""
        self._show_window()
        await self._painted()
        log.info("Window shown after %.2f s", time.perf_counter() - self._started)
        self._begin(self.session.load_model(self._settings.model_choice))
        if paths:
            self._begin(self.session.open_paths(paths))
        notes = (self._places.note, *self._settings.notes, *self._store.notes)
        if any(notes):
            log.warning(" ".join(filter(None, notes)))
            self.window.show_notice(" ".join(filter(None, notes)))
        self._begin(self.batch_wiring.offer_unfinished())
        if self._settings.checks_for_updates:
            self._look_for_updates(is_asked=False)
        if crash:
            self.faults.report_crash(crash)
        if visit:
            self._begin(visit(self))
        await self._quit_asked.wait()
        return await self._leave()

    @Slot(list)
    def come_forward(self, paths: list[Path]) -> None:
        """Another copy of the program was started, on these paths or on none."""
        log.info("Another copy was started, on %d picture(s) or folder(s)", len(paths))
        if self.window.isMinimized():
            self.window.showNormal()
        self.window.raise_()
        self.window.activateWindow()
        if paths:
            self.window.show_conversation()
            self._begin(self.session.open_paths(paths))

    @Slot()
    def quit(self) -> None:
        """End the program as closing the window does."""
        self._quit_asked.set()

    # Beginning and end

    def _show_window(self) -> None:
        self.window.show_empty(_samples())
        self.window.prompt_box.set_history(self._settings.prompt_history)
        self.window.restore_state(self._settings.window)
        self.window.show_underlines(self._settings.underlines_doubt)
        self.window.show()

    async def _painted(self) -> None:
        """Wait for the first paint, before torch takes the interpreter; a window that begins
        minimised never paints."""
        painted = _FirstPaint(self.window)
        try:
            await asyncio.wait_for(painted.is_over.wait(), LATEST_PAINT_SECONDS)
        except TimeoutError:
            self.window.removeEventFilter(painted)

    async def _leave(self) -> bool:
        self._settings.window = self.window.save_state()
        if self.window.isVisible():
            self.window.leave()
        for widget in QApplication.topLevelWidgets():
            widget.hide()
        await self.folder_run.close()
        is_library_closed = await self.model_library.close(PATIENCE_SECONDS)
        await self.session.close()
        deadline = self._loop.time() + PATIENCE_SECONDS
        is_model_closed = await self.model.close(PATIENCE_SECONDS)
        is_all_done = True
        if self._tasks:
            left = max(0.0, deadline - self._loop.time())
            _, pending = await asyncio.wait(self._tasks, timeout=left)
            is_all_done = not pending
        self._garbage.close()
        return is_library_closed and is_model_closed and is_all_done

    def _begin(self, coroutine: Coroutine) -> None:
        """The one place where work starts that nobody awaits."""
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        match task.exception():
            case None:
                pass
            case AppError() as error:
                self.window.show_notice(str(error))
            case error:
                self.faults.report(error)

    # Who hears whom

    def _join_pictures(self) -> None:
        window, session = self.window, self.session
        window.paths_opened.connect(self._on_paths_opened)
        window.image_data_dropped.connect(self._on_image_data_dropped)
        window.picture_chosen.connect(self._on_picture_chosen)
        session.picture_opened.connect(window.show_picture)
        session.picture_failed.connect(self._on_picture_failed)
        session.pictures_at_hand.connect(window.show_pictures_at_hand)

    def _join_conversation(self) -> None:
        window, session = self.window, self.session
        window.asked.connect(self._on_asked)
        window.stopped.connect(session.stop)
        window.regenerate_asked.connect(self._on_regenerate_asked)
        window.edited.connect(self._on_edited)
        window.inspect_asked.connect(self._on_inspect_asked)
        window.unstrike_asked.connect(session.undo_strike)
        window.together_chosen.connect(self._on_together_chosen)
        window.underlines_chosen.connect(self._on_underlines_chosen)
        session.answer_struck.connect(window.show_struck)
        session.answer_finished.connect(self._on_answer_finished)
        view = window.evidence_view
        view.evidence_wanted.connect(self._on_evidence_wanted)
        view.map_wanted.connect(self._on_map_wanted)
        view.look_again_asked.connect(self._on_look_again_asked)
        view.strike_changed.connect(self._on_strike_changed)
        window.new_conversation_asked.connect(session.new_conversation)
        session.conversation_cleared.connect(window.clear_conversation)
        session.conversation_cut.connect(window.cut_conversation)
        session.answer_begun.connect(window.begin_answer)
        session.piece_received.connect(window.append)
        session.answer_finished.connect(window.finish)
        session.answer_failed.connect(self._on_answer_failed)
        session.ask_refused.connect(window.give_prompt_back)
        session.noticed.connect(window.show_notice)
        window.transcript_path_chosen.connect(self._on_transcript_path_chosen)
        window.recent_opened.connect(self._on_recent_opened)
        window.recent_chosen.connect(self._on_recent_chosen)
        session.conversation_reopened.connect(window.show_transcript)

    def _join_model(self) -> None:
        window, session = self.window, self.session
        window.built_in_model_chosen.connect(self._on_built_in_model_chosen)
        window.model_folder_chosen.connect(self._on_model_folder_chosen)
        window.model_unloaded.connect(session.unload_model)
        window.loading_cancelled.connect(session.cancel_loading)
        session.model_changed.connect(window.show_model_state)
        session.model_changed.connect(self._on_model_changed)

    def _join_program(self) -> None:
        window = self.window
        window.theme_chosen.connect(self._on_theme_chosen)
        window.settings_asked.connect(self._on_settings_asked)
        window.log_folder_asked.connect(self._on_log_folder_asked)
        window.updates_asked.connect(self._on_updates_asked)
        window.closed.connect(self.quit)

    @Slot(list)
    def _on_paths_opened(self, paths: list[Path]) -> None:
        self._begin(self.session.open_paths(paths))

    @Slot(bytes, str)
    def _on_image_data_dropped(self, data: bytes, name: str) -> None:
        self._begin(self.session.open_image_data(data, name))

    @Slot(int)
    def _on_picture_chosen(self, index: int) -> None:
        self._begin(self.session.open_at_hand(index))

    @Slot(object, str)
    def _on_picture_failed(self, error: AppError, name: str) -> None:
        self.window.show_picture_error(str(error))

    @Slot(str)
    def _on_asked(self, prompt: str) -> None:
        self._begin(self.session.ask(prompt))

    @Slot()
    def _on_regenerate_asked(self) -> None:
        self._begin(self.session.regenerate())

    @Slot(int, str)
    def _on_edited(self, index: int, prompt: str) -> None:
        self._begin(self.session.ask_again(index, prompt))

    @Slot(object)
    def _on_answer_finished(self, answer: Answer) -> None:
        """Doubt is computed while nothing else is; the next question ends it."""
        transcript = self.session.transcript
        if self._settings.underlines_doubt and answer.text and transcript:
            self._on_evidence_wanted(len(transcript.exchanges) - 1, False)

    @Slot(bool)
    def _on_together_chosen(self, is_chosen: bool) -> None:
        self.session.asks_about_all = is_chosen

    @Slot(bool)
    def _on_underlines_chosen(self, is_shown: bool) -> None:
        self._settings.underlines_doubt = is_shown
        self._begin(self.session.keep_settings())
        transcript = self.session.transcript
        if is_shown and transcript and transcript.exchanges and not self.session.is_answering:
            self._on_evidence_wanted(len(transcript.exchanges) - 1, False)

    @Slot(int, bool)
    def _on_evidence_wanted(self, index: int, is_asked: bool) -> None:
        view = self.window.evidence_view
        # By itself it wakes no model that rests.
        if is_asked or (isinstance(self.model.state, Ready) and not view.obstacle):
            self._begin(self._find_evidence(index))
        else:
            view.refuse_evidence(index)

    async def _find_evidence(self, index: int) -> None:
        view = self.window.evidence_view
        try:
            view.show_evidence(index, await self.session.evidence(index))
        except Cancelled:
            view.refuse_evidence(index)
        except AppError as error:
            view.refuse_evidence(index, str(error))

    @Slot(int, object)
    def _on_map_wanted(self, index: int, word: Word) -> None:
        self._begin(self._find_map(index, word))

    async def _find_map(self, index: int, word: Word) -> None:
        with suppress(Cancelled):
            word_map = await self.session.word_map(index, word)
            self.window.evidence_view.show_map(index, word, word_map)

    @Slot(int, object)
    def _on_look_again_asked(self, index: int, word: Word) -> None:
        self._begin(self._look_again(index, word))

    async def _look_again(self, index: int, word: Word) -> None:
        view = self.window.evidence_view
        try:
            view.show_evidence(index, await self.session.look_again(index, word))
        finally:
            view.end_looking()

    @Slot(int, int, int, bool)
    def _on_strike_changed(self, index: int, begin: int, end: int, is_struck: bool) -> None:
        self.session.strike(index, (begin, end), is_struck=is_struck)

    @Slot(int)
    def _on_inspect_asked(self, index: int) -> None:
        self._begin(self._inspect(index))

    async def _inspect(self, index: int) -> None:
        self._inspected += 1
        mine, picture = self._inspected, self.session.picture
        try:
            trace = await self.session.trace(index)
        except AppError as error:
            if mine == self._inspected:
                self.window.inspector.show_reason(str(error))
        else:
            if mine == self._inspected and picture is not None:
                self.window.show_trace(trace, picture)

    @Slot(object)
    def _on_answer_failed(self, error: AppError) -> None:
        self.window.fail(str(error))

    @Slot(Path)
    def _on_transcript_path_chosen(self, path: Path) -> None:
        self._begin(self.session.write_transcript(path))

    @Slot()
    def _on_recent_opened(self) -> None:
        kept = self.session.recent_conversations()
        self.window.show_recent([(one.id, _title(one)) for one in kept])

    @Slot(int)
    def _on_recent_chosen(self, id_: int) -> None:
        self._begin(self.session.reopen(id_))

    @Slot()
    def _on_built_in_model_chosen(self) -> None:
        self._begin(self.session.load_model(ModelChoice()))

    @Slot(Path)
    def _on_model_folder_chosen(self, folder: Path) -> None:
        choice = replace(self._settings.model_choice, model=str(folder))
        self._begin(self.session.load_model(choice))

    @Slot(object)
    def _on_model_changed(self, state: ModelState) -> None:
        if isinstance(state, Loading):
            self._garbage.pause()
        else:
            self._garbage.go_on()
        if isinstance(state, Ready):
            facts = state.facts
            self.window.show_preprocessing(facts.preprocessing, OTHER_WAY)
            self.window.show_evidence_obstacle(facts.why_not(Capability.EVIDENCE) or "")
            self.window.show_trace_obstacle(facts.why_not(Capability.TRACE) or "")
        elif not self.model.is_resting:
            self.window.show_preprocessing(None, NO_MODEL)

    @Slot(str)
    def _on_theme_chosen(self, mode: str) -> None:
        self._settings.theme = mode  # type: ignore[assignment]  # Checked by pydantic.
        self._begin(self.session.keep_settings())

    @Slot()
    def _on_settings_asked(self) -> None:
        dialog = SettingsDialog(self._settings, self.window, known_cards())
        dialog.saved.connect(self._on_settings_saved)
        dialog.open()

    @Slot(object)
    def _on_settings_saved(self, chosen: Settings) -> None:
        """Take the choices over; what the program itself remembered meanwhile stays."""
        before = self._settings.model_choice
        for name in Settings.model_fields.keys() - REMEMBERED:
            setattr(self._settings, name, getattr(chosen, name))
        self._theme.choose(self._settings.theme)
        self._theme.choose_text_percent(self._settings.text_percent)
        self.idle_unload.restart_timer()
        if self._settings.model_choice != before:
            self._begin(self.session.load_model(self._settings.model_choice))
        self._begin(self.session.keep_settings())

    @Slot()
    def _on_log_folder_asked(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._places.logs)))

    @Slot()
    def _on_updates_asked(self) -> None:
        self._look_for_updates(is_asked=True)

    def _look_for_updates(self, is_asked: bool) -> None:
        """Unasked, only good news is told."""
        if self._settings.works_offline:
            if is_asked:
                self.window.show_notice(
                    "Onlooker is set to work offline. Allow the network under Models first."
                )
            return
        self._says_all_of_updates = is_asked
        if not self._updates:
            self._updates = Updates(self._settings.updates_address, self)
            self._updates.answered.connect(self._on_updates_answered)
            self._updates.failed.connect(self._on_updates_failed)
        self._updates.check()

    @Slot(str)
    def _on_updates_answered(self, changes: str) -> None:
        if changes or self._says_all_of_updates:
            UpdatesDialog(changes, self.window).open()

    @Slot(str)
    def _on_updates_failed(self, sentence: str) -> None:
        log.info("Updates: %s", sentence)
        if self._says_all_of_updates:
            self.window.show_notice(sentence)


class _Application(QApplication):
    """Qt's application. What the system asks of it, it passes on to the program.

    `quit_asked()`: so that the program ends in order. `paths_opened(list[Path])`: macOS says so
    what was dropped on the icon or opened with Onlooker; elsewhere that is an argument.
    """

    quit_asked = Signal()
    paths_opened = Signal(list)

    def __init__(self, arguments: list[str]):
        super().__init__(arguments)
        self.setApplicationName("Onlooker")
        self.setDesktopFileName("onlooker")

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Quit:
            # Cmd+Q. Qt would leave the loop here and now.
            self.quit_asked.emit()
            return True
        if isinstance(event, QFileOpenEvent) and event.file():
            self.paths_opened.emit([Path(event.file())])
            return True
        return super().event(event)


class _FirstPaint(QObject):
    """Watches a window until it has painted once."""

    def __init__(self, window: MainWindow):
        super().__init__(window)
        self.is_over = asyncio.Event()
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            watched.removeEventFilter(self)
            self.is_over.set()
        return False


@contextmanager
def _signals_calling(end: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl+C and a system that shuts down call `end`.

    Python runs a handler between two of its own instructions, and an idle Qt loop runs none: a
    byte in the wake-up socket makes it.
    """
    kinds = [signal.SIGINT, signal.SIGTERM]
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    notifier = QSocketNotifier(near.fileno(), QSocketNotifier.Type.Read)
    notifier.activated.connect(lambda: near.recv(64))
    descriptor = signal.set_wakeup_fd(far.fileno())
    handlers = [signal.signal(kind, lambda *_: end()) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, handlers, strict=True):
            signal.signal(kind, handler)
        signal.set_wakeup_fd(descriptor)
        notifier.setEnabled(False)
        near.close()
        far.close()


def _title(kept: Summary) -> str:
    words = " ".join(kept.prompt.split())
    short = words if len(words) <= TITLE_LENGTH else f"{words[:TITLE_LENGTH]}…"
    return f"{kept.picture_name} – {short} ({kept.when:%d %b %H:%M})"


def _samples() -> list[Path]:
    return find_pictures([SAMPLES]) if SAMPLES.is_dir() else []


def _presets() -> list[tuple[str, str]]:
    presets = json.loads((RESOURCES / "prompts.json").read_text(encoding="utf-8"))
    return [(preset["name"], preset["prompt"]) for preset in presets]
